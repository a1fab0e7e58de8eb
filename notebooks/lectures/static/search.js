// Search over all sections of the course, in the browser, without a server.
const engine = new MiniSearch({ fields: ["title", "text", "lesson"], storeFields: ["title", "text", "lesson", "url"] });
engine.addAll(INDEX);
const asked = document.querySelector("input[type=search]");
const found = document.getElementById("found");

function around(text, terms) {
  const at = Math.max(0, Math.min(...terms.map((t) => text.toLowerCase().indexOf(t)).filter((k) => k >= 0)));
  const begin = Number.isFinite(at) ? Math.max(0, at - 50) : 0;
  return (begin ? "… " : "") + text.slice(begin, begin + 150) + " …";
}

asked.addEventListener("input", () => {
  const options = { boost: { title: 3 }, prefix: true, fuzzy: (term) => (term.length > 5 ? 0.15 : 0), combineWith: "AND" };
  const hits = engine.search(asked.value, options).slice(0, 12);
  found.hidden = !asked.value.trim();
  found.replaceChildren(...hits.map((hit) => {
    const item = document.createElement("li"), link = document.createElement("a"), text = document.createElement("small");
    link.href = hit.url;
    link.textContent = hit.title === hit.lesson ? hit.title : `${hit.lesson} › ${hit.title}`.replace(/\$/g, "");
    text.textContent = around(hit.text, hit.terms);
    item.append(link, text);
    return item;
  }));
  if (!hits.length) found.textContent = "Nothing was found; try a shorter word.";
});
asked.form.addEventListener("submit", (event) => {
  event.preventDefault();
  const first = found.querySelector("a");
  if (first) first.click();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") found.hidden = true;
  if (event.key === "/" && document.activeElement !== asked) { event.preventDefault(); asked.focus(); }
});
found.addEventListener("click", () => { found.hidden = true; });
