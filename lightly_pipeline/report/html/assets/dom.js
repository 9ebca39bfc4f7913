// Elements, numbers and times as text. All text from data goes through here, never through HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

/** Makes an element; children are nodes or text, null ones are left out. */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an element of a drawing. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Names of files can change the direction of text; they stand apart. */
const named = (text) => h("bdi", {}, text);

const count = (n) => n.toLocaleString("en-US");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

function figure(value) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return count(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** A place in a video: 1:02.48, or 1:00:00.00. */
function clock(seconds) {
  if (seconds === null || Number.isNaN(seconds)) return "no time";
  const sign = seconds < 0 ? "-" : "";
  const hundredths = Math.round(Math.abs(seconds) * 100);
  const hours = Math.floor(hundredths / 360000);
  const minutes = Math.floor(hundredths / 6000) % 60;
  const rest = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  const long = hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes;
  return `${sign}${long}:${rest}`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

function section(id, title, lead, ...content) {
  const heading = h("h2", { id: `${id}-title` }, title);
  const head = h("div", { class: "head" }, heading, lead && h("p", {}, lead));
  return h("section", { id, "aria-labelledby": `${id}-title` }, head, ...content);
}

/** A table in a box that scrolls; `numeric` are the columns that stand to the right. */
function table(caption, columns, rows, numeric = []) {
  const cell = (tag) => (value, i) => h(tag, { class: numeric.includes(i) ? "n" : null }, value);
  return h(
    "div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table", {},
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((c, i) => fill(cell("th")(c, i), { scope: "col" }, [])))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td"))))),
    ),
  );
}

/** Shows a list part by part: `draw` makes the item at a place. */
function inParts(list, draw, size, words) {
  const more = h("button", { class: "more", type: "button" });
  let items = [];
  const show = () => {
    const from = list.children.length;
    const left = items.length - from;
    // No button for the last few.
    list.append(...items.slice(from, from + (left <= 1.25 * size ? left : size)).map(draw));
    const rest = items.length - list.children.length;
    more.hidden = rest === 0;
    more.textContent = rest > 1.25 * size ? `Show ${count(size)} of ${count(rest)} more ${words}s` : `Show the other ${plural(rest, words)}`;
  };
  more.addEventListener("click", () => {
    const next = list.children.length;
    show();
    (list.children[next]?.querySelector("button, a") ?? list.children[next])?.focus();
  });
  const reset = (newItems) => {
    items = newItems;
    list.replaceChildren();
    show();
  };
  return { more, reset };
}

/** Puts text on the clipboard, also where a page from a file may not. */
async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "unseen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}

/** Runs once when an element comes near the window: a page of 1,000 videos opens at once. */
const waiting = new Map();
const nearness = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    nearness.unobserve(target);
    waiting.get(target)();
    waiting.delete(target);
  }
}, { rootMargin: "600px" });

function whenNear(element, run) {
  waiting.set(element, run);
  nearness.observe(element);
}
