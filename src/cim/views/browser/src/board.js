// The board: a row for each entity, the newest on top; and the counts over all of them.
import { mount, untracked } from "./template.js";
import { Rows } from "./rows.js";

export class Board {
  /** `counted({all, read, failed, working})` is told at most once a task, when rows have changed. */
  constructor({ view, list, counted }) {
    this.nodes = new Map();
    this.selected = null;
    this.counting = false;
    Object.assign(this, { view, list, counted });
    this.rows = new Rows({
      added: (row) => this.show(row),
      removed: (row) => this.hide(row),
      touched: () => this.count(),
    });
  }

  show(row) {
    const node = document.createElement("div");
    node.className = "row";
    node.row = row;
    node.setAttribute("role", "row");
    node.toggleAttribute("data-selected", row.id === this.selected);
    const scope = { cell: (key) => row.cell(key), items: [] };
    const remove = mount(this.view.template, node, null, scope);
    this.nodes.set(row.id, { node, remove });
    this.list.insertBefore(node, this.below(row));
  }

  /** The newest is on top: by the sequence an entity began with, where the leaf tells it, else as they come. */
  below(row) {
    let below = this.list.firstChild;
    while (below && row.first < below.row.first) below = below.nextSibling;
    return below;
  }

  hide(row) {
    const { node, remove } = this.nodes.get(row.id);
    this.nodes.delete(row.id);
    remove();
    node.remove();
  }

  select(id) {
    for (const one of [this.selected, id]) this.nodes.get(one)?.node.removeAttribute("data-selected");
    this.selected = id;
    this.nodes.get(id)?.node.setAttribute("data-selected", "");
  }

  highlight(id) {
    const node = this.nodes.get(id)?.node;
    if (!node) return;
    node.scrollIntoView({ block: "nearest" });
    node.removeAttribute("data-highlight");
    requestAnimationFrame(() => node.setAttribute("data-highlight", ""));
    node.addEventListener("animationend", () => node.removeAttribute("data-highlight"), { once: true });
  }

  /** The link of the row before or after the one that has the focus. */
  step(by) {
    const here = document.activeElement?.closest(".row");
    const next = by > 0 ? here?.nextElementSibling : here?.previousElementSibling;
    const link = next?.querySelector("a");
    link?.focus();
    return Boolean(link);
  }

  count() {
    if (this.counting) return;
    this.counting = true;
    queueMicrotask(() => {
      this.counting = false;
      untracked(() => this.counted(this.sums()));
    });
  }

  sums() {
    const sums = { all: this.rows.size, read: 0, failed: 0, working: 0 };
    for (const row of this.rows.all()) {
      if (row.cell("row.working")?.length) sums.working += 1;
      else if (row.cell("row.failed")?.length) sums.failed += 1;
      else sums.read += 1;
    }
    return sums;
  }
}
