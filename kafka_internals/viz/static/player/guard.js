// A panel's controls are ipywidgets, which leave their keys to Lab: `d d` would delete the cell.
function guard({ target }) {
  const controls = target.closest?.(".ki-controls");
  if (!controls) return;
  target.dataset.lmSuppressShortcuts = true;
  if (controls.dataset.guarded) return;
  controls.dataset.guarded = true;
  controls.addEventListener("keydown", e => e.ctrlKey || e.altKey || e.metaKey
    || e.stopPropagation());
}

const whole = globalThis.document?.documentElement;
if (whole && !whole.dataset.kiGuarded) {
  whole.dataset.kiGuarded = true;
  document.addEventListener("focusin", guard);
}
