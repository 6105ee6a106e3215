// The little Markdown that the hub's documents use, as elements: headings, paragraphs, lists, tables,
// `code` and **strong**. Text becomes text nodes only, so that nothing in it can run.
// @ts-check

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

/**
 * A line of text, with `code` and **strong** in it.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export const inline = (text) =>
  text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });

/** @param {string} text what an address can end in, for a heading */
export const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

const cells = (/** @type {string} */ row) =>
  row.split("|").slice(1, -1).map((cell) => cell.trim());

/** @param {string[]} rows of a table, the head and its rule first */
const table = ([head = "", , ...rows]) =>
  element("div", { class: "wide" }, element("table", {},
    element("thead", {}, element("tr", {}, ...cells(head).map((cell) => element("th", { scope: "col" }, ...inline(cell))))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row).map((cell) => element("td", {}, ...inline(cell))))))));

/**
 * A text of several blocks.
 * @param {string} text
 * @returns {Node[]}
 */
export const blocks = (text) =>
  text.split(/\n{2,}/).filter((block) => block.trim()).map((block) => {
    const lines = block.trim().split("\n");
    const [, marks, title] = /^(#+) (.*)/.exec(block.trim()) ?? [];
    if (marks && title) return element(`h${marks.length}`, { id: slug(title) }, ...inline(title));
    if (block.startsWith("|")) return table(lines);
    if (block.startsWith("- ")) {
      return element("ul", {}, ...lines.map((line) => element("li", {}, ...inline(line.replace(/^- /, "")))));
    }
    return element("p", {}, ...inline(lines.join(" ")));
  });
