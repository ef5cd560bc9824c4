// Continues the log of a deployment where the page ends. The browser connects again by itself and says which
// event it saw last, so no line is missing and none comes twice.
"use strict";

(() => {
  const log = document.getElementById("log");
  const phases = document.getElementById("phases");
  const state = document.getElementById("state");
  const source = new EventSource(
    `/v1/deployments/${log.dataset.deployment}/logs?from=${log.dataset.seq}`,
  );

  // Escape sequences and control characters, as the server removes them.
  const plain = (text) =>
    text
      .replace(/\u001b(?:\[[^@-~]*[@-~]?|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\?|$)|[ -/].?|.|$)/g, "")
      .replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "");

  // As the server writes it.
  const took = (ms) =>
    ms < 60000
      ? `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
      : `${Math.floor(ms / 60000)} min ${Math.floor((ms % 60000) / 1000)} s`;

  // A reader who has scrolled up in the log is left where they are, until they are at its end again.
  const atEnd = () => log.scrollTop + log.clientHeight >= log.scrollHeight - 30;
  const toEnd = () => (log.scrollTop = log.scrollHeight);

  toEnd();

  const show = (line) => {
    const follow = atEnd();
    const text = document.createTextNode(`${line}\n`);
    log.append(text);
    if (follow) {
      toEnd();
    }
    return text;
  };

  // A line that is written over, as progress bars are, has the same number again.
  let last = { line: 0, text: null };
  const showLine = (line, text) => {
    if (line === last.line) {
      last.text.data = `${text}\n`;
    } else {
      last = { line, text: show(text) };
    }
  };

  // The server has no more to say, or does not know us any more: the page does.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      window.setTimeout(() => window.location.reload(), 2000);
    }
  });

  const on = (kind, handle) =>
    source.addEventListener(kind, (message) => handle(JSON.parse(message.data)));

  on("log", (event) => showLine(event.line, (event.stream === "builder" ? "* " : "") + plain(event.text)));
  on("gap", (event) => show(`[${event.lines} lines ${plain(event.reason)}]`));
  on("notice", (event) => show(`note: ${plain(event.text)}`));
  on("plan", (event) => {
    for (const decision of event.decisions) {
      show(`${decision.name}: ${plain(decision.value)} (${plain(decision.because)})`);
    }
  });
  on("phase", (event) => {
    let row = phases.querySelector(`[data-phase="${CSS.escape(event.phase)}"]`);
    if (!row) {
      row = document.createElement("li");
      row.dataset.phase = event.phase;
      phases.append(row);
    }
    row.className = event.state;
    const parts = [];
    if (event.ms !== undefined) {
      parts.push(took(event.ms));
    }
    if (event.summary) {
      parts.push(plain(event.summary));
    }
    const summary = document.createElement("span");
    summary.className = "quiet";
    summary.textContent = parts.join(", ");
    row.replaceChildren(`${event.phase} `, summary);
    if (event.state === "started") {
      show(`--- ${event.phase}`);
      state.textContent = event.phase === "upload" ? "publishing" : "building";
    }
  });
  on("end", () => {
    source.close();
    // The page knows how it ended, and why, and says so at its top.
    window.history.scrollRestoration = "manual";
    window.location.reload();
  });
})();
