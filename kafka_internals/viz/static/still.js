// A picture that Python changes, as an image: its text is its alternative.
function render({ model, el }) {
  const image = document.createElement("img");
  const draw = () => {
    image.src = `data:image/svg+xml,${encodeURIComponent(model.get("picture"))}`;
    image.alt = model.get("say");
  };
  el.classList.add("ki-still", "ki-theme");
  el.replaceChildren(image);
  model.on("change:picture", draw);
  draw();
  return () => model.off("change:picture", draw);
}

export default { render };
