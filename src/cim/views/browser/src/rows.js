// The rows that a live query has told of, each cell a signal with the sequence it is of.
import { endBatch, signal, startBatch } from "alien-signals";

class Row {
  constructor(id, first = Infinity) {
    this.id = id;
    this.first = first;
    this.born = performance.now();
    // Every row and change names these two, so that they are not sent as cells.
    this.signals = new Map([
      ["row.id", signal(id)],
      ["row.sequence", signal(0)],
    ]);
    this.sequences = new Map();
  }

  cell(key) {
    let cell = this.signals.get(key);
    if (!cell) {
      cell = signal(null);
      this.signals.set(key, cell);
    }
    return cell();
  }

  /** Take over what is not older than what is known, cell by cell. */
  take(cells, sequence) {
    const newest = this.signals.get("row.sequence");
    newest(Math.max(newest(), sequence));
    for (const [key, value] of Object.entries(cells)) {
      if (sequence < (this.sequences.get(key) ?? 0)) continue;
      this.sequences.set(key, sequence);
      const cell = this.signals.get(key);
      if (cell) cell(value);
      else this.signals.set(key, signal(value));
    }
  }

  get newest() {
    return Math.max(0, ...this.sequences.values());
  }
}

/**
 * Holds rows exact: `begin` a resynchronisation, `snapshot` its pages, `complete` it; `changes` may come
 * in between and at any time. `added(row)` and `removed(row)` are told, `touched()` after each batch.
 */
export class Rows {
  constructor({ added, removed, touched = () => {} }) {
    this.rows = new Map();
    this.graves = new Map();
    this.seen = new Set();
    Object.assign(this, { added, removed, touched });
  }

  get(id) {
    return this.rows.get(id);
  }

  all() {
    return this.rows.values();
  }

  get size() {
    return this.rows.size;
  }

  /** What was known before counts no more against the snapshot: the leaf may have begun anew. */
  begin() {
    this.seen = new Set();
    this.graves.clear();
    for (const row of this.rows.values()) row.sequences.clear();
  }

  snapshot(rows) {
    this.batch(() => {
      for (const row of rows) {
        this.seen.add(row.id);
        if (row.sequence > (this.graves.get(row.id) ?? -1)) this.take(row);
      }
    });
  }

  complete() {
    this.batch(() => {
      for (const id of [...this.rows.keys()]) if (!this.seen.has(id)) this.remove(id);
    });
  }

  changes(changes) {
    this.batch(() => {
      for (const change of changes) {
        if (change.gone) this.bury(change);
        else if (change.sequence > (this.graves.get(change.id) ?? -1)) {
          this.seen.add(change.id);
          this.take(change);
        }
      }
    });
  }

  clear() {
    this.batch(() => {
      for (const id of [...this.rows.keys()]) this.remove(id);
      this.graves.clear();
    });
  }

  bury({ id, sequence }) {
    this.graves.set(id, Math.max(sequence, this.graves.get(id) ?? 0));
    const row = this.rows.get(id);
    if (row && sequence >= row.newest) this.remove(id);
  }

  take({ id, first, sequence, cells }) {
    const known = this.rows.get(id);
    const row = known ?? new Row(id, first);
    row.take(cells, sequence);
    if (known) return;
    this.rows.set(id, row);
    this.added(row);
  }

  remove(id) {
    const row = this.rows.get(id);
    if (!row) return;
    this.rows.delete(id);
    this.removed(row);
  }

  /** A batch always ends: an error in one row must not silence the others. */
  batch(action) {
    startBatch();
    try {
      action();
    } finally {
      endBatch();
      this.touched();
    }
  }
}
