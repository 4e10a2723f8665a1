// What an expression may do. A closed list: the page brings data, never code.

const DIGEST = /^[0-9a-f]{64}$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Whether a value is there: null, false, an empty text and an empty list are not; zero is. */
export function present(value) {
  if (value === null || value === undefined || value === false || value === "") return false;
  return !(Array.isArray(value) && value.length === 0);
}

function excerpt(text, limit) {
  if (text.length <= limit) return text;
  return text.slice(0, limit - 1).trimEnd() + "…";
}

function day(date) {
  const parts = /^(\d{4})-(\d{2})-(\d{2})/.exec(date);
  return parts ? `${Number(parts[3])} ${MONTHS[Number(parts[2]) - 1]} ${parts[1]}` : date;
}

function clock(time) {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return time;
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

function duration(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.round(milliseconds / 60_000)} min`;
}

function plain(name) {
  return name
    .slice(name.lastIndexOf(".") + 1)
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
}

/** An operation that has no meaning without its first operand. */
const of = (operation) => (value, ...rest) =>
  value === null || value === undefined ? null : operation(value, ...rest);

const OPERATIONS = {
  present,
  equal: (left, right) => left === right,
  different: (left, right) => left !== right,
  less: of((left, right) => left < right),
  at_most: of((left, right) => left <= right),
  greater: of((left, right) => left > right),
  at_least: of((left, right) => left >= right),
  excerpt: of(excerpt),
  percent: of((share) => `${Math.round(share * 100)} %`),
  day: of(day),
  clock: of(clock),
  duration: of(duration),
  magnitude: of((value, top) => Math.min(1, Math.log1p(Math.max(0, value)) / Math.log1p(top))),
  plain: of(plain),
  area: (...shares) => (shares.every(Number.isFinite) ? shares : null),
  blob_url: of((digest) => (DIGEST.test(digest) ? `/blobs/${digest}` : null)),
  entity_url: of((id) => `#${encodeURIComponent(id)}`),
};

/** The value of an expression in a scope: `cell(key)` reads the row, `items` are the repetitions around. */
export function evaluate([kind, first, ...rest], scope) {
  if (kind === "cell") return scope.cell(first);
  if (kind === "value") return first;
  if (kind === "item") return rest.reduce((value, field) => value?.[field] ?? null, scope.items[first]());
  return OPERATIONS[first](...rest.map((operand) => evaluate(operand, scope)));
}
