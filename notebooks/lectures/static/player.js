// A slider and a play button over pictures that are all there already.
for (const player of document.querySelectorAll("figure.player")) {
  const [button, slider, name] = player.querySelectorAll("button, input, output");
  const frames = player.querySelectorAll(".frames img");
  const names = JSON.parse(slider.dataset.names);
  let timer = null;

  function show() {
    frames.forEach((frame, k) => { frame.hidden = k != slider.value; });
    name.textContent = names[slider.value];
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "▶";
    button.setAttribute("aria-label", "play");
  }
  function play() {
    if (+slider.value === frames.length - 1) slider.value = 0;
    show();
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
    timer = setInterval(() => {
      slider.value = +slider.value + 1;
      show();
      if (+slider.value === frames.length - 1) stop();
    }, 400);
  }
  button.addEventListener("click", () => (timer ? stop() : play()));
  slider.addEventListener("input", () => { stop(); show(); });
  // all frames are wanted as soon as someone reaches for the slider
  player.addEventListener("pointerenter", () => frames.forEach((f) => { f.loading = "eager"; }), { once: true });
}
