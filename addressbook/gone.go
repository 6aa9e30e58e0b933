package addressbook

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

const markPrefix = "gone "

func goneMark(day schoolmail.Date) string { return markPrefix + day.String() }

func parseMark(s string) (schoolmail.Date, bool) {
	day, ok := strings.CutPrefix(s, markPrefix)
	if !ok {
		return 0, false
	}
	d, err := schoolmail.ParseDate(day)
	return d, err == nil && !d.IsZero()
}

// mayAlwaysVanish is the number of books or people that are never too many.
const (
	booksMayVanish  = 5
	peopleMayVanish = 20
)

// guard holds back everything that takes something away if too many of the
// people in the books would vanish without others in their place. Then the
// directory was hardly read completely.
func (d *differ) guard() {
	have, want := map[string]bool{}, map[string]bool{}
	for _, f := range d.folders {
		if f.ours {
			for _, e := range f.Entries {
				if d.rules.kindOf(e.Key) == personKey {
					have[e.Key] = true
				}
			}
		}
	}
	for _, n := range d.nodes {
		for _, e := range n.entries {
			if d.rules.kindOf(e.Key) == personKey {
				want[e.Key] = true
			}
		}
	}
	lost := len(have) - len(want) // somebody new stands for somebody gone
	if lost <= peopleMayVanish || lost*100 <= len(have)*d.rules.maxGonePercent() {
		return
	}
	d.held, d.plan.Held = true, true
	d.finding("", itoa(lost)+" of "+itoa(len(have))+" people would vanish, more than max_gone_percent allows; nothing "+
		"is taken away")
}

// otherSalt reports, with a finding, that the entries were made with another salt:
// no key is known, of a book or a person, though there are many. To take them for
// strangers would drop everybody and list them again.
func (d *differ) otherSalt() bool {
	if d.rules.Rekey {
		return false
	}
	known := map[string]bool{}
	for _, n := range d.nodes {
		for _, e := range n.entries {
			known[e.Key] = true
		}
	}
	people := map[string]bool{}
	for _, f := range d.folders {
		for _, e := range f.Entries {
			switch {
			case !f.ours:
			case known[e.Key]:
				return false
			case d.rules.kindOf(e.Key) == personKey:
				people[e.Key] = true
			}
		}
	}
	if len(known) == 0 || len(people) <= peopleMayVanish {
		return false
	}
	d.plan.Held = true
	d.finding("", "none of the "+itoa(len(people))+" people in the books is known: the entries were made with another "+
		"salt; nothing is done, see -rekey")
	return true
}

// growth holds a book back that would get too many people or readers at once: they
// are let in when the limit is lifted.
func (d *differ) growth(p *FolderPlan, n *node) {
	if n.book == nil || n.folder.head == nil {
		return // not filled yet
	}
	count := func(entries []Entry) (people int) {
		for _, e := range entries {
			if d.rules.kindOf(e.Key) == personKey {
				people++
			}
		}
		return people
	}
	people := 0
	for _, e := range n.folder.Entries {
		people += count([]Entry{e.Entry})
	}
	readers, next := d.resolver.readers(n.folder.Permissions), d.resolver.readers(n.perms)
	var what string
	switch after := count(n.entries); {
	case after-people > d.rules.maxGrowth(people):
		what = "people from " + itoa(people) + " to " + itoa(after)
	case p.Permissions != nil && readers > 0 && next-readers > d.rules.maxGrowth(readers):
		what = "readers from " + itoa(readers) + " to " + itoa(next)
	default:
		return
	}
	p.Permissions, p.Add = nil, nil
	p.Change = slices.DeleteFunc(p.Change, func(c EntryChange) bool { return c.After.IsList() })
	d.plan.Held = true
	d.finding(n.book.Key, "the book would grow in "+what+" at once, more than max_growth_percent allows; nobody is let "+
		"in or listed")
}

// leftovers plans our folders that nothing asks for any more: hidden at once,
// removed when the grace is over, children before their containers.
func (d *differ) leftovers() {
	var gone []*found
	books, fresh := 0, 0
	for _, f := range d.folders {
		if !f.ours {
			if d.insideOurs(f) {
				d.finding(strings.Join(d.path(f), "/"), "a folder that is not ours lies in one of ours; it is left alone")
			}
			continue
		}
		if f.kind != folderKey {
			books++
		}
		if f.node != nil {
			continue
		}
		gone = append(gone, f)
		if f.kind != folderKey && (f.head == nil || f.head.Mark == "") {
			fresh++
		}
	}
	if d.held {
		return
	}
	if fresh > booksMayVanish && fresh*100 > books*d.rules.maxGonePercent() {
		d.plan.Held = true
		d.finding("", itoa(fresh)+" of "+itoa(books)+" books would vanish, more than max_gone_percent allows; none is "+
			"hidden or removed")
		return
	}
	slices.SortStableFunc(gone, func(a, b *found) int { return d.depth(b) - d.depth(a) })
	for _, f := range gone {
		d.gone(f)
	}
}

// insideOurs reports whether the folder lies in a container of ours.
func (d *differ) insideOurs(f *found) bool {
	parent := d.byID[f.Parent]
	return parent != nil && parent.ours && parent.head != nil
}

func (d *differ) depth(f *found) int {
	n := 0
	for p := d.byID[f.Parent]; p != nil && n < 100; p = d.byID[p.Parent] {
		n++
	}
	return n
}

func (d *differ) path(f *found) []string {
	var path []string
	for n := 0; f != nil && n < 100; n++ {
		path = append(path, f.Title)
		f = d.byID[f.Parent]
	}
	slices.Reverse(path)
	return path
}

func (d *differ) gone(f *found) {
	p := FolderPlan{Path: d.path(f), ID: f.ID, Hide: true}
	due := f.kind == folderKey || d.rules.graceDays() == 0
	if !due {
		if f.head != nil {
			since, ok := parseMark(f.head.Mark)
			if ok {
				due = d.today.Sub(since) >= d.rules.graceDays()
			} else {
				after := f.head.Entry
				after.Mark = goneMark(d.today)
				p.Change = []EntryChange{{Stored: *f.head, After: after}}
			}
		} else {
			p.Add = []Entry{{Key: d.rules.entryKey(orphanKey), DisplayName: f.Title, Mark: goneMark(d.today)}}
		}
	}
	if due && d.removable(f, p.Path) {
		p.Delete, p.Hide = true, false
		f.deleted = true
		d.plan.Folders = append(d.plan.Folders, p)
		return
	}
	hidden := []Permission{{Entity: int(d.have.Self), Right: Owner}}
	if f.kind == folderKey {
		hidden = d.stillSeen(f)
	}
	if !slices.Equal(f.Permissions, hidden) {
		p.Permissions = hidden
	}
	if d.titleWanted(f) {
		p.Title = passingTitle(f.Title, f.ID)
	}
	if !p.Empty() {
		d.plan.Folders = append(d.plan.Folders, p)
	}
}

// titleWanted reports whether another folder is to get the title of this one.
func (d *differ) titleWanted(f *found) bool {
	if d.wanted == nil {
		d.wanted = map[[2]string]*node{}
		for _, n := range d.nodes {
			if parent, ok := n.parentID(); ok {
				d.wanted[[2]string{parent, fold(n.title())}] = n
			}
		}
	}
	n := d.wanted[[2]string{f.Parent, fold(f.Title)}]
	return n != nil && n != f.node
}

// stillSeen keeps a container as it is while something that is wanted has
// not moved out of it, and hides it otherwise.
func (d *differ) stillSeen(f *found) []Permission {
	for _, c := range d.children[f.ID] {
		if c.node != nil {
			return f.Permissions
		}
	}
	return []Permission{{Entity: int(d.have.Self), Right: Owner}}
}

// removable reports whether nothing but ours would be lost with the folder.
func (d *differ) removable(f *found, path []string) bool {
	if f.foreign > 0 {
		d.finding(strings.Join(path, "/"),
			"the folder is due for removal but has "+itoa(f.foreign)+" entries that are not ours; it stays")
		return false
	}
	for _, c := range d.children[f.ID] {
		if c.deleted {
			continue
		}
		if !c.ours {
			d.finding(strings.Join(path, "/"), "the folder is due for removal but has a folder that is not ours in it; it stays")
		}
		return false
	}
	return true
}
