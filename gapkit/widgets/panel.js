// What ipywidgets cannot say, said in the page when the first picture of a panel has loaded.
const wait = tries => {
  const panel = this.closest('.gk-panel');
  if (!panel) { if (tries) setTimeout(wait, 100, tries - 1); return; }
  if (panel.gkNamed) return;
  panel.gkNamed = true;
  const live = document.createElement('div');
  live.setAttribute('role', 'status');
  live.setAttribute('aria-live', 'polite');
  live.style.cssText = 'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)';
  panel.append(live);
  const set = (node, key, value) => {
    if (value && node.getAttribute(key) !== value) node.setAttribute(key, value);
  };
  const name = () => {
    for (const handle of panel.querySelectorAll('.noUi-handle')) {
      const box = handle.closest('.widget-slider');
      const label = box.querySelector('.widget-label').textContent;
      const readout = box.querySelector('.widget-readout');
      set(handle, 'aria-label', label);
      set(handle, 'aria-valuetext', readout.textContent);
      set(readout, 'role', 'textbox');
      set(readout, 'aria-label', label + ', as a number');
    }
    for (const list of panel.querySelectorAll('select')) set(list, 'data-lm-suppress-shortcuts', 'true');
    for (const play of panel.querySelectorAll('.widget-play')) play.querySelectorAll('button').forEach((button, place) => {
      const title = ['play or pause', 'back to the start', 'repeat'][place];
      set(button, 'aria-label', title);
      set(button, 'title', title);
    });
    const sentence = panel.querySelector('figcaption')?.textContent ?? '';
    if (live.textContent !== sentence) live.textContent = sentence;
  };
  const watched = {subtree: true, childList: true, characterData: true, attributes: true};
  new MutationObserver(name).observe(panel, {...watched, attributeFilter: ['aria-valuetext']});
  name();
};
wait(50);
