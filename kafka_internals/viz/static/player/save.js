// Save as a file: the page that plays this film anywhere, made from the player's own texts.
const escapeText = text => plain(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

function toBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

const fromBase64 = text => Uint8Array.from(atob(text.trim()), c => c.charCodeAt(0));

const filled = (text, parts) => text.replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);

function pageText({ bytes, css, module, picture, ...card }) {
  const title = escapeText(card.title);
  const body = filled(MOUNT, {
    title, picture, say: escapeText(card.say), event: String(card.event),
    count: String(card.size[2]), film: toBase64(bytes), card: escapeText(JSON.stringify(card)) });
  return filled(PAGE, { title, css, module, body });
}

function saveFile(parts) {
  const name = String(parts.title).toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60);
  const url = URL.createObjectURL(new Blob([pageText(parts)], { type: "text/html" }));
  const link = make("a", "", null, { href: url, download: `${name || "film"}.html` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
