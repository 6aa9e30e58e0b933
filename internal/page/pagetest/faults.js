// What Browser.Faults asks a page.
(() => {
 const out = [], say = s => { if (out.length < 20 && !out.includes(s)) out.push(s) }
 const root = document.documentElement
 if (root.scrollWidth > root.clientWidth) say("the page is " + root.scrollWidth + " wide in " + root.clientWidth)
 const rgb = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length > 3 && m[3] === 0 ? null : m.slice(0, 3) }
 const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  return .2126 * r + .7152 * g + .0722 * b }
 const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255] }
 for (const e of document.body.querySelectorAll("*")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  if (!own || e.closest("title, desc, style") || e.closest("thead")?.offsetWidth === 1) continue
  const style = getComputedStyle(e), name = e.tagName.toLowerCase() + " " + JSON.stringify(e.textContent.trim().slice(0, 30))
  const a = light(rgb(e instanceof SVGElement ? style.fill : style.color)), b = light(ground(e))
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
  if (ratio < 4.5) say("contrast " + ratio.toFixed(1) + " of " + name)
  if (!(e instanceof SVGElement) && e.scrollWidth > e.clientWidth + 1 && style.display !== "inline") say("too wide: " + name)
  if (matchMedia("print").matches && !e.checkVisibility()) say("folded: " + name)
 }
 for (const svg of document.querySelectorAll("svg")) {
  const frame = svg.getBoundingClientRect()
  const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()])
  texts.forEach(([s, r], i) => {
   if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.bottom > frame.bottom + 1) say("leaves its picture: " + s)
   for (const [o, q] of texts.slice(i + 1))
    if (r.left < q.right - 1 && q.left < r.right - 1 && r.top < q.bottom - 3 && q.top < r.bottom - 3) say("upon each other: " + s + ", " + o)
  })
  if (frame.width < 300 && innerWidth >= 375) say("a picture of " + frame.width + " pixels")
 }
 return out
})()
