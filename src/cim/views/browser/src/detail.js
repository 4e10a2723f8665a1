// The detail of the entity that the address names after its hash.
import { mount } from "./template.js";
import { Rows } from "./rows.js";

export class Detail {
  constructor({ view, place, missing }) {
    this.selected = null;
    this.remove = () => {};
    Object.assign(this, { view, place, missing });
    this.rows = new Rows({ added: (row) => this.show(row), removed: () => this.hide() });
  }

  select(id) {
    this.rows.clear();
    this.selected = id;
    this.missing(false);
  }

  show(row) {
    this.missing(false);
    const scope = { cell: (key) => row.cell(key), items: [] };
    this.remove = mount(this.view.template, this.place, null, scope);
  }

  hide() {
    this.remove();
    this.remove = () => {};
    this.missing(this.selected !== null);
  }

  /** What was asked for is not there: said after an exact answer only. */
  answered() {
    this.missing(this.selected !== null && this.rows.size === 0);
  }
}
