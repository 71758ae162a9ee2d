/** The events of a text/event-stream body, as {event, data, id}; comments (keep-alives) come as {event: "", …}. */
export async function* parseEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  let message = { event: "message", data: [], id: null };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (buffer + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      buffer = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (message.data.length) yield { ...message, data: message.data.join("\n") };
          message = { event: "message", data: [], id: null };
        } else if (line.startsWith(":")) {
          yield { event: "", data: "", id: null };
        } else {
          const [, field, content = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
          if (field === "data") message.data.push(content);
          else if (field === "event" || field === "id") message[field] = content;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
