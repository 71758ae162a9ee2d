/** Black or white, whichever reads better on a CSS colour; null when the browser does not know the colour. */
export function inkOn(colour) {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000001";
  context.fillStyle = colour;
  if (context.fillStyle === "#000001") return null;
  context.fillRect(0, 0, 1, 1);
  return luminance(context.getImageData(0, 0, 1, 1).data) > 0.179 ? "#000" : "#fff";
}

/** WCAG relative luminance of [red, green, blue], 0..255 each. Above 0.179 black contrasts more than white. */
export function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
