// Clones a template and ties one effect to each binding.
import { effect, setActiveSub, signal } from "alien-signals";
import { evaluate, present } from "./operations.js";

const prepared = new WeakMap();

/** Run without being tracked: effects made inside belong to nobody but whoever stops them. */
export function untracked(action) {
  const outer = setActiveSub(undefined);
  try {
    return action();
  } finally {
    setActiveSub(outer);
  }
}

/** Parse a part once, take its marks out, and remember the way to each bound place. */
function prepare(part) {
  const known = prepared.get(part);
  if (known) return known;
  const template = document.createElement("template");
  template.innerHTML = part.html;
  const places = [];
  const texts = new Set(part.bindings.filter((one) => one.kind === "text").map((one) => one.at));
  visit(template.content, [], places, texts);
  const ready = { content: template.content, places };
  prepared.set(part, ready);
  return ready;
}

function visit(parent, way, places, texts) {
  Array.from(parent.childNodes).forEach((node, index) => {
    const here = [...way, index];
    if (node.nodeType === Node.COMMENT_NODE) {
      const at = Number(node.data);
      places[at] = here;
      if (texts.has(at)) parent.replaceChild(document.createTextNode(""), node);
      else node.data = "";
    } else if (node.nodeType === Node.ELEMENT_NODE) {
      if (node.dataset.at !== undefined) {
        places[Number(node.dataset.at)] = here;
        delete node.dataset.at;
      }
      visit(node, here, places, texts);
    }
  });
}

/** Put a part before `anchor` (or last in `parent`); returns what takes it away again. */
export function mount(part, parent, anchor, scope) {
  const { content, places } = prepare(part);
  const fragment = document.importNode(content, true);
  const nodes = places.map((way) => way.reduce((node, index) => node.childNodes[index], fragment));
  const own = Array.from(fragment.childNodes);
  parent.insertBefore(fragment, anchor);
  const stops = untracked(() => part.bindings.map((one) => BINDINGS[one.kind](nodes[one.at], one, scope)));
  return () => {
    stops.forEach((stop) => stop());
    own.forEach((node) => node.remove());
  };
}

function bindText(node, binding, scope) {
  return effect(() => {
    const value = evaluate(binding.value, scope);
    const text = value === null || value === undefined ? "" : String(value);
    if (node.data !== text) node.data = text;
  });
}

function bindAttribute(node, { name, value: expression }, scope) {
  return effect(() => {
    const value = evaluate(expression, scope);
    // ARIA states are words: an absent aria-busy is not the same as aria-busy="false".
    const wordy = name.startsWith("aria-") && typeof value === "boolean";
    if (value === null || value === undefined || (value === false && !wordy)) {
      if (node.hasAttribute(name)) node.removeAttribute(name);
      return;
    }
    const text = value === true && !wordy ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  });
}

/** Where an element lies on its parent. Set by script: the page's policy allows no style in markup. */
function bindArea(node, binding, scope) {
  return effect(() => {
    const shares = evaluate(binding.value, scope) ?? [];
    ["left", "top", "width", "height"].forEach((side, index) => {
      node.style[side] = index < shares.length ? `${shares[index] * 100}%` : "";
    });
  });
}

function bindWhen(anchor, binding, scope) {
  let shown = null;
  let remove = () => {};
  const stop = effect(() => {
    const there = present(evaluate(binding.value, scope));
    if (there === shown) return;
    shown = there;
    untracked(() => {
      remove();
      remove = mount(there ? binding.then : binding.otherwise, anchor.parentNode, anchor, scope);
    });
  });
  return () => {
    stop();
    remove();
  };
}

function bindEach(anchor, binding, scope) {
  const slots = [];
  const stop = effect(() => {
    const items = evaluate(binding.value, scope) ?? [];
    untracked(() => fill(slots, items, anchor, binding.item, scope));
  });
  return () => {
    stop();
    slots.forEach((slot) => slot.remove());
  };
}

/** Items go by their place in the list: histories grow at the end, so what is there stays. */
function fill(slots, items, anchor, part, scope) {
  while (slots.length > items.length) slots.pop().remove();
  items.forEach((item, index) => {
    if (index < slots.length) {
      slots[index].value(item);
      return;
    }
    const value = signal(item);
    const inner = { cell: scope.cell, items: [...scope.items, value] };
    slots.push({ value, remove: mount(part, anchor.parentNode, anchor, inner) });
  });
}

const BINDINGS = {
  text: bindText,
  attribute: bindAttribute,
  area: bindArea,
  when: bindWhen,
  each: bindEach,
};
