// Builds every script of the pages into bot/edge/static/dist/ (not committed). `--watch` rebuilds on change.
import { gzipSync } from "node:zlib";
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = here("../bot/edge/static/dist");
const WIDGET_BUDGET = 30_000; // bytes, gzipped: what a business adds to its own pages by embedding us

const options = {
  entryPoints: {
    widget: here("src/widget/index.js"),
    desk: here("src/desk/index.js"),
    simulator: here("src/simulator/index.js"),
    demo: here("src/demo/index.js"),
  },
  outdir,
  bundle: true,
  format: "iife", // a classic script: one tag, no module loader, `document.currentScript` works
  target: ["es2021", "safari15.4"],
  minify: true,
  sourcemap: process.argv.includes("--watch"),
  conditions: ["production"],
  charset: "utf8",
  legalComments: "inline",
  logLevel: "warning",
};

await mkdir(outdir, { recursive: true });
if (process.argv.includes("--watch")) {
  await (await esbuild.context(options)).watch();
} else {
  await esbuild.build(options);
  for (const name of Object.keys(options.entryPoints)) {
    const gzipped = gzipSync(await readFile(`${outdir}/${name}.js`), { level: 9 }).length;
    console.log(`${name}.js`.padEnd(14), `${(gzipped / 1000).toFixed(1)} kB gzip`);
    if (name === "widget" && gzipped > WIDGET_BUDGET) throw new Error(`widget.js is ${gzipped} bytes, over its budget`);
  }
}
