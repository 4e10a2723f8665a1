// Puts the page together: the views it was sent, the connection, the header, the uploads.
import { Board } from "./board.js";
import { delay, stayConnected } from "./connection.js";
import { Detail } from "./detail.js";
import { takeForms } from "./forms.js";
import { LiveQuery } from "./live.js";
import { acceptDrops, Uploads } from "./upload.js";

const WORDS = {
  connecting: "connecting",
  live: "live",
  stale: "catching up",
  lost: "connection lost: trying again",
  ended: "session ended: loading anew",
};

const page = JSON.parse(document.getElementById("machine").textContent);
const part = (id) => document.getElementById(id);
const words = (node, text) => node.textContent !== text && (node.textContent = text);
const measure = (bar, name, value) => bar[name] !== value && (bar[name] = value);

const views = Object.entries(page.views).map(([name, view]) => ({ name, ...view }));
const board = makeBoard(views.find((view) => view.scope === "each"));
const detail = makeDetail(views.find((view) => view.scope === "one"));
const queries = [board?.query, detail?.query].filter(Boolean);

function told(state) {
  part("connection").dataset.state = state;
  words(part("connection-words"), WORDS[state]);
}

function counted({ all, read, failed, working }) {
  const trouble = failed ? ` · ${failed} failed` : "";
  const busy = working ? ` · ${working} in work` : "";
  words(part("progress-words"), all ? `${read} of ${all} read${busy}${trouble}` : "Nothing here yet");
  measure(part("progress-bar"), "max", Math.max(all, 1));
  measure(part("progress-bar"), "value", read + failed);
  part("progress").toggleAttribute("data-done", working === 0);
  document.body.toggleAttribute("data-empty", all === 0);
}

function makeQuery(view, rows, rest) {
  const refused = (reason) => words(part("connection-words"), `the leaf refuses: ${reason}`);
  return new LiveQuery({ query: view.query, session: page.session, rows, refused, ...rest });
}

function makeBoard(view) {
  if (!view) return null;
  const made = new Board({ view, list: part("rows"), counted, });
  const first = () => ({});
  const query = makeQuery(view, made.rows, { first });
  return { made, query };
}

function makeDetail(view) {
  if (!view) return null;
  const missing = (yes) => (part("missing").hidden = !yes);
  const made = new Detail({ view, place: part("sheet"), missing });
  const first = () => (made.selected === null ? null : { id: made.selected });
  const accepts = (id) => id === made.selected;
  const query = makeQuery(view, made.rows, { first, accepts });
  return { made, query };
}

async function synchronise(action) {
  const exact = (await Promise.all(queries.map(action))).every(Boolean);
  if (exact) {
    detail?.made.answered();
    told("live");
    document.body.setAttribute("data-exact", "");
  }
  return exact;
}

async function use(connection) {
  told("stale");
  const exact = await synchronise((query) => query.attach(connection));
  if (exact) keep(connection);
  return exact;
}

/** Renew the leases; a leaf that does not know one has begun anew, and so do we. */
async function keep(connection) {
  for (;;) {
    await delay((page.lease ?? 10) * 1000);
    if (connection.isClosed()) return;
    const known = await Promise.all(queries.map((query) => query.renew()));
    if (connection.isClosed()) return;
    if (known.every(Boolean)) continue;
    told("stale");
    await synchronise((query) => query.resynchronise());
  }
}

function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function select() {
  const id = chosen();
  board?.made.select(id);
  document.body.toggleAttribute("data-selected", id !== null && detail !== null);
  if (!detail || detail.made.selected === id) return;
  detail.made.select(id);
  part("detail").scrollTop = 0;
  // Where there is no room beside the board, the detail stands above it.
  if (id !== null && matchMedia("(width < 66rem)").matches) scrollTo({ top: 0 });
  detail.query.resynchronise().then((exact) => exact && detail.made.answered());
}

function close() {
  const id = chosen();
  history.pushState(null, "", location.pathname);
  select();
  board?.made.nodes.get(id)?.node.querySelector("a")?.focus();
}

function takeKeys(event) {
  if (event.key === "Escape" && chosen() !== null) close();
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by && board?.made.step(by)) event.preventDefault();
}

function takeFiles() {
  if (!page.upload) return;
  const known = (entity, since) => (board?.made.rows.get(entity)?.born ?? Infinity) < since;
  const highlight = (entity) => board?.made.highlight(entity);
  const uploads = new Uploads({ upload: page.upload, list: part("uploads"), known, highlight });
  const picker = part("files");
  picker.addEventListener("change", () => {
    uploads.add(picker.files);
    picker.value = "";
  });
  for (const button of document.querySelectorAll("[data-pick]")) {
    button.addEventListener("click", () => picker.click());
  }
  acceptDrops((files) => uploads.add(files));
}

addEventListener("hashchange", select);
addEventListener("popstate", select);
addEventListener("keydown", takeKeys);
part("close").addEventListener("click", close);
takeForms(document);
takeFiles();
select();
told("connecting");
stayConnected(page, { use, told });
