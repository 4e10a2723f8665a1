// Hands files in: from the picker, or dropped anywhere on the page.

const AT_ONCE = 3;

/** `uploads(files)` queues files; `known(entity, since)` says whether a row was there before. */
export class Uploads {
  constructor({ upload, list, known, highlight }) {
    this.waiting = [];
    this.running = 0;
    this.handed = new Set();
    Object.assign(this, { upload, list, known, highlight });
  }

  add(files) {
    for (const file of files) this.waiting.push({ file, entry: this.entry(file.name) });
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.send(this.waiting.shift()).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async send({ file, entry }) {
    const since = performance.now();
    try {
      const { status, body } = await post(this.upload, file, (share) => (entry.bar.value = share));
      this.tell(entry, status, body, since);
    } catch {
      entry.tell("refused", "The connection broke off. Try again.");
    }
  }

  tell(entry, status, body, since) {
    const entity = body.entity ?? body.rejected?.entity;
    if (status === 200) {
      const before = this.handed.has(entity) || this.known(entity, since);
      this.handed.add(entity);
      entry.tell(before ? "known" : "done", before ? "Known already" : "Handed in", entity);
      if (before) this.highlight(entity);
      else setTimeout(() => entry.node.remove(), 8000);
      return;
    }
    const reason = body.rejected?.reason ?? body.error ?? `The machine answered ${status}.`;
    entry.tell("refused", reason, entity);
    if (entity) this.highlight(entity);
  }

  entry(name) {
    const node = document.createElement("li");
    const title = document.createElement("span");
    title.className = "upload-name";
    title.textContent = name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Sending ${name}`);
    const words = document.createElement("span");
    words.className = "upload-words";
    words.textContent = "Sending";
    node.append(title, bar, words);
    this.list.append(node);
    const tell = (state, text, entity) => {
      node.dataset.state = state;
      bar.remove();
      words.textContent = text;
      node.append(...(entity ? [link(entity)] : []), dismiss(node, name));
    };
    return { node, bar, tell };
  }
}

function link(entity) {
  const anchor = document.createElement("a");
  anchor.href = `#${encodeURIComponent(entity)}`;
  anchor.textContent = "Open";
  return anchor;
}

function dismiss(node, name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "×";
  button.setAttribute("aria-label", `Dismiss ${name}`);
  button.addEventListener("click", () => node.remove());
  return button;
}

function post({ command, blob, text }, file, progressed) {
  const form = new FormData();
  form.append(text, file.name);
  form.append(blob, file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/commands/${command}`);
    request.responseType = "text";
    request.upload.onprogress = (event) => event.lengthComputable && progressed(event.loaded / event.total);
    request.onload = () => resolve({ status: request.status, body: parsed(request.responseText) });
    request.onerror = () => reject(new Error("the connection broke off"));
    request.send(form);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Let files be dropped anywhere; `data-dropping` on the body shows where one is. */
export function acceptDrops(take) {
  let depth = 0;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const shown = (change) => {
    depth = Math.max(0, depth + change);
    document.body.toggleAttribute("data-dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => carries(event) && shown(1));
  addEventListener("dragleave", (event) => carries(event) && shown(-1));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    shown(-depth);
    take(event.dataTransfer.files);
  });
}
