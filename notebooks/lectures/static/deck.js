// Slides of 1280 x 720. What is too long in spite of the build's rules is drawn smaller until it fits.
const LEAST = 0.55;
const BELOW = 40; // pixels, for the code's button

function fit(slide) {
  const body = slide && slide.querySelector(":scope > .body");
  if (!body) return;
  body.style.zoom = 1;
  body.style.height = "";
  for (const line of body.querySelectorAll("mjx-container[display], pre")) {
    if (line.closest("details, aside")) continue;
    line.style.fontSize = "";
    const room = line.matches("pre") ? line.clientWidth : line.parentElement.clientWidth; // a formula widens itself
    const wide = line.matches("pre") ? line.scrollWidth : line.offsetWidth;
    if (wide > room + 1) {
      const now = parseFloat(getComputedStyle(line).fontSize);
      line.style.fontSize = `${Math.max(LEAST, (0.99 * room) / wide) * now}px`;
    }
  }
  for (let size = 1; ; size -= 0.02) {
    body.style.zoom = size;
    body.style.height = `${720 / size}px`;
    // not scrollHeight, which counts the formulas' hidden text for screen readers
    const last = [...body.children].filter((e) => !e.matches("aside, details")).pop();
    if (size <= LEAST || last.offsetTop + last.offsetHeight <= body.clientHeight - BELOW) break;
  }
}

function fitAll() {
  document.querySelectorAll(".slides section").forEach(fit);
}

function typeset() {
  // the speaker's window copies the notes, but not the style that hides this text for screen readers
  document.querySelectorAll("aside.notes mjx-assistive-mml").forEach((e) => e.remove());
  Reveal.isPrintView() ? fitAll() : fit(Reveal.getCurrentSlide());
}

Reveal.initialize({
  width: 1280, height: 720, margin: 0, minScale: 0.2, maxScale: 3, center: false, hash: true, controlsTutorial: false,
  transition: "none", slideNumber: "h.v", display: "block", pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1, plugins: [RevealNotes],
}).then(() => {
  fit(Reveal.getCurrentSlide());
  Reveal.on("slidechanged", (event) => fit(event.currentSlide));
  Reveal.on("pdf-ready", fitAll);
  document.addEventListener("typeset", typeset);
  if (window.isTypeset) typeset();
});
