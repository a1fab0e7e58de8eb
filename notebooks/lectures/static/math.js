// MathJax as the notebooks use it. Every formula brings its own letters along, so that notes can be copied to another window.
MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], displayMath: [["$$", "$$"], ["\\[", "\\]"]], tags: "none" },
  svg: { fontCache: "local", scale: 0.95 },
  options: { ignoreHtmlClass: "highlight|printed" },
  startup: { ready() { MathJax.startup.defaultReady(); MathJax.startup.promise.then(() => { window.isTypeset = true; document.dispatchEvent(new Event("typeset")); }); } },
};
