// Filters the findings of a report, copies commands, and opens what a rule is about in place. The page is whole without.
const { body } = document
const articles = [...document.querySelectorAll('article')]
const bar = document.querySelector('.filters')
const fields = bar ? [...bar.querySelectorAll('select, input[type=search]')] : []
const boxes = bar ? [...bar.querySelectorAll('input[type=checkbox]')] : []
const texts = new Map()
const status = bar?.querySelector('[role=status]')
const whole = status?.textContent

const field = (name) => fields.find((one) => one.name === name)
// Namespaces and clusters of an article are numbers of the options of their select.
const has = (article, name, key) => {
  const index = field(name)?.selectedIndex ?? 0
  return index <= 0 || article.dataset[key]?.split(' ').includes(String(index))
}
const textOf = (article) => {
  if (!texts.has(article)) {
    const title = article.parentElement.firstElementChild.textContent
    texts.set(article, `${title}\n${article.textContent}`.toLowerCase())
  }
  return texts.get(article)
}

function filter() {
  const off = boxes.filter((box) => !box.checked).map((box) => box.value)
  const rule = field('rule')?.value ?? ''
  const words = field('text').value.toLowerCase().split(/\s+/).filter(Boolean)
  let shown = 0
  for (const article of articles) {
    const isShown =
      !off.includes(article.className) &&
      (rule === '' || article.dataset.rule === rule) &&
      has(article, 'namespace', 'namespaces') &&
      has(article, 'cluster', 'clusters') &&
      (words.length === 0 || words.every((word) => textOf(article).includes(word)))
    article.hidden = !isShown
    if (isShown) shown++
  }
  for (const section of document.querySelectorAll('main > section'))
    section.hidden = section.querySelector('article:not([hidden])') === null
  status.textContent =
    shown === articles.length
      ? whole
      : `${shown} of ${articles.length} ${articles.length === 1 ? 'entry' : 'entries'}`
  bar.querySelector('.reset').hidden = state() === ''
}

/** The filter as it stands in the address; empty when everything is shown. */
function state() {
  const params = new URLSearchParams()
  const on = boxes.filter((box) => box.checked).map((box) => box.value)
  if (on.length < boxes.length) params.set('severity', on.join(','))
  for (const { name, value } of fields) if (value !== '') params.set(name, value)
  return String(params)
}

function restore(text) {
  const params = new URLSearchParams(text)
  const on = params.get('severity')?.split(',')
  for (const box of boxes) box.checked = on === undefined || on.includes(box.value)
  for (const one of fields) one.value = params.get(one.name) ?? ''
  // A name that this report does not have.
  for (const one of fields) if (one.selectedIndex === -1) one.selectedIndex = 0
  filter()
}

/** Follows the address: a filter, or a finding or rule, which is shown whatever the filter. */
function follow() {
  const hash = location.hash.slice(1)
  const isFilter = hash === '' || hash.includes('=')
  if (bar && isFilter) restore(hash)
  const target = isFilter ? null : document.getElementById(hash)
  if (!target) return
  if (bar && target.closest('[hidden]')) restore('')
  for (let one = target; one; one = one.parentElement?.closest('details'))
    if (one.open === false) one.open = true
  target.scrollIntoView()
  // What came into view on the way has got its real height by then.
  requestAnimationFrame(() => target.scrollIntoView())
}

function changed() {
  filter()
  history.replaceState(null, '', `#${state()}`)
}

async function copy(button) {
  const code = button.parentElement.querySelector('code')
  try {
    await navigator.clipboard.writeText(code.textContent)
  } catch {
    // Where the page may not write to the clipboard, people can.
    getSelection().selectAllChildren(code)
    button.textContent = 'Selected'
    return
  }
  button.textContent = 'Copied'
  setTimeout(() => {
    button.textContent = 'Copy'
  }, 1500)
}

/** Puts what the rule is about in the place of the link to it. */
function explain(link) {
  const page = document.getElementById(link.hash.slice(1))
  if (!page) return false
  const details = document.createElement('details')
  const summary = document.createElement('summary')
  const content = page.cloneNode(true)
  content.removeAttribute('id')
  details.className = 'about'
  details.open = true
  summary.textContent = link.textContent
  details.append(summary, content)
  link.parentElement.replaceWith(details)
  summary.focus()
  return true
}

body.addEventListener('click', (event) => {
  const button = event.target.closest('button')
  if (button?.className === 'copy') copy(button)
  if (button?.className === 'reset') {
    restore('')
    history.replaceState(null, '', '#')
  }
  const link = event.target.closest('.why a')
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey
  if (link && isPlain && explain(link)) event.preventDefault()
})
if (bar) {
  bar.hidden = false
  filter()
  bar.addEventListener('change', changed)
  let timer
  bar.addEventListener('input', (event) => {
    if (event.target.type !== 'search') return
    clearTimeout(timer)
    timer = setTimeout(changed, 150)
  })
}
body.classList.add('scripted')
addEventListener('hashchange', follow)
follow()
