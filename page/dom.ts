/** Knows how elements are made: with text, never with markup. */

export const byId = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;

/** An element with text in it: never markup, for names are anybody's words. */
export function make(tag: string, text = "", attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function tableOf(header: readonly string[], lines: readonly (readonly (string | Node)[])[]): HTMLElement {
  const table = make("table");
  const head = make("tr");
  head.append(...header.map((text) => make("th", text, { scope: "col" })));
  table.append(make("thead"), make("tbody"));
  table.firstElementChild?.append(head);
  for (const line of lines) {
    const row = make("tr");
    for (const cell of line) {
      const box = make("td");
      box.append(cell);
      row.append(box);
    }
    table.lastElementChild?.append(row);
  }
  const scroll = make("div", "", { class: "scroll" });
  scroll.append(table);
  return scroll;
}
