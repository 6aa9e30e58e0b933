package oxtest

import (
	"maps"
	"slices"
	"time"
)

// pimStore holds the folders and contacts of one context. Its methods expect the
// state's lock to be held.
type pimStore struct {
	folders     map[int]*simFolder
	kids        map[int][]*simFolder // folders by parent; nil: to be built again
	contacts    map[int]*simContact
	byFolder    map[int]map[int]*simContact
	standard    map[int]int // user -> default contact folder
	userContact map[int]int // user -> id of the entry in folder 6
	contactUser map[int]int // the other way round
	nextFolder  int
	nextContact int
	clock       int64 // last timestamp handed out, milliseconds
	folderTimes map[int]int64
	deleted     []simDeleted
}

type simFolder struct {
	id, parent int
	title      string
	module     string
	kind       int // 1 private, 2 public, 5 system
	perms      []simPerm
	createdBy  int
	modifiedBy int
	created    int64
	modified   int64
	standard   bool
}

// simContact is a contact or a distribution list. A field that was set to "" is
// present and empty, as on the real server.
type simContact struct {
	id, folder int
	createdBy  int
	modifiedBy int
	created    int64
	modified   int64
	fields     map[string]string
	list       bool
	members    []simMember
}

type simMember struct {
	id, folder  int
	displayName string
	mail        string
	mailField   int
}

type simDeleted struct {
	folder, id int
	at         int64
}

// Folders of every context.
const (
	folderRoot    = 0
	folderPrivate = 1
	folderPublic  = 2
	folderShared  = 3
	folderGAB     = 6

	typePrivate = 1
	typePublic  = 2
	typeShared  = 3
	typeSystem  = 5
)

func newPIMStore() *pimStore {
	p := &pimStore{
		folders: map[int]*simFolder{}, contacts: map[int]*simContact{}, byFolder: map[int]map[int]*simContact{},
		standard: map[int]int{}, userContact: map[int]int{}, contactUser: map[int]int{},
		nextFolder: 20, nextContact: 1, folderTimes: map[int]int64{},
	}
	everybody := func(bits int) []simPerm { return []simPerm{{0, true, bits}} }
	for _, f := range []*simFolder{
		{id: folderRoot, parent: -1, title: "root", module: "system", perms: everybody(bitsSee)},
		{id: folderPrivate, parent: folderRoot, title: "Private folders", module: "system", perms: everybody(bitsSubfolder)},
		{id: folderPublic, parent: folderRoot, title: "Public folders", module: "system", perms: everybody(bitsSubfolder)},
		{id: folderShared, parent: folderRoot, title: "Shared folders", module: "system", perms: everybody(bitsSee)},
		{id: folderGAB, parent: folderPublic, title: "All users", module: "contacts"},
	} {
		f.kind = typeSystem
		if f.id == folderGAB {
			f.kind = typePublic
		}
		f.modified = p.tick()
		f.created = f.modified
		p.folders[f.id] = f
	}
	return p
}

// tick hands out a timestamp that is later than all before.
func (p *pimStore) tick() int64 {
	p.clock = max(p.clock+1, time.Now().UnixMilli())
	return p.clock
}

// ensureUser makes what OX makes for a new user: the default contact folder and
// the entry in the global address book.
func (p *pimStore) ensureUser(uid int) {
	if _, ok := p.userContact[uid]; ok {
		return
	}
	id := p.nextContact
	p.nextContact++
	p.userContact[uid] = id
	p.contactUser[id] = uid
	f := p.addFolder(&simFolder{parent: folderPrivate, title: "Contacts", module: "contacts", kind: typePrivate,
		perms: []simPerm{{uid, false, bitsOwner}}, createdBy: uid, standard: true})
	p.standard[uid] = f.id
}

func (p *pimStore) addFolder(f *simFolder) *simFolder {
	f.id = p.nextFolder
	p.nextFolder++
	f.created = p.tick()
	f.modified, f.modifiedBy = f.created, f.createdBy
	p.folders[f.id] = f
	p.kids = nil
	return f
}

func (p *pimStore) addContact(c *simContact) *simContact {
	c.id = p.nextContact
	p.nextContact++
	c.created = p.tick()
	c.modified, c.modifiedBy = c.created, c.createdBy
	p.put(c)
	return c
}

func (p *pimStore) put(c *simContact) {
	p.contacts[c.id] = c
	if p.byFolder[c.folder] == nil {
		p.byFolder[c.folder] = map[int]*simContact{}
	}
	p.byFolder[c.folder][c.id] = c
	p.folderTimes[c.folder] = c.modified
}

// touch records a change made by uid.
func (p *pimStore) touch(c *simContact, uid int) {
	c.modified, c.modifiedBy = p.tick(), uid
	p.folderTimes[c.folder] = c.modified
}

func (p *pimStore) removeContact(c *simContact) {
	at := p.tick()
	delete(p.contacts, c.id)
	delete(p.byFolder[c.folder], c.id)
	p.folderTimes[c.folder] = at
	p.deleted = append(p.deleted, simDeleted{c.folder, c.id, at})
}

func (p *pimStore) moveContact(c *simContact, folder int) {
	p.deleted = append(p.deleted, simDeleted{c.folder, c.id, p.tick()})
	delete(p.byFolder[c.folder], c.id)
	c.folder = folder
	p.put(c)
}

// contactsIn lists a folder by id.
func (p *pimStore) contactsIn(folder int) []*simContact {
	m := p.byFolder[folder]
	out := make([]*simContact, 0, len(m))
	for _, id := range sortedKeys(m) {
		out = append(out, m[id])
	}
	return out
}

func (p *pimStore) children(folder int) []*simFolder {
	if p.kids == nil {
		p.kids = map[int][]*simFolder{}
		for _, id := range sortedKeys(p.folders) {
			if f := p.folders[id]; f.id != folderRoot {
				p.kids[f.parent] = append(p.kids[f.parent], f)
			}
		}
	}
	return slices.Clone(p.kids[folder])
}

func sortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

// removeFolder removes a folder with everything below it.
func (p *pimStore) removeFolder(f *simFolder) {
	for _, c := range p.children(f.id) {
		p.removeFolder(c)
	}
	for _, c := range p.contactsIn(f.id) {
		p.removeContact(c)
	}
	delete(p.folders, f.id)
	delete(p.byFolder, f.id)
	p.kids = nil
}

// inherit gives a user's folder to another one.
func (f *simFolder) inherit(from, to int) {
	f.createdBy = to
	if slices.ContainsFunc(f.perms, func(q simPerm) bool { return !q.group && q.entity == to }) {
		return
	}
	for i, q := range f.perms {
		if !q.group && q.entity == from {
			f.perms[i].entity = to
		}
	}
}

// deleteUser removes a user's private data. What the user made in public
// folders goes to reassign, or is deleted if that is 0 or negative.
func (p *pimStore) deleteUser(uid, reassign int) {
	for _, id := range sortedKeys(p.folders) {
		f, ok := p.folders[id]
		if !ok {
			continue // below one already removed
		}
		made := f.createdBy == uid
		if made && (f.kind == typePrivate || id >= 20 && reassign <= 0) {
			p.removeFolder(f)
			continue
		}
		if made && id >= 20 {
			f.inherit(uid, reassign)
		}
		f.perms = slices.DeleteFunc(f.perms, func(q simPerm) bool { return !q.group && q.entity == uid })
	}
	for _, id := range sortedKeys(p.contacts) {
		if c := p.contacts[id]; c.createdBy == uid {
			if reassign > 0 {
				c.createdBy = reassign
			} else {
				p.removeContact(c)
			}
		}
	}
	if id, ok := p.userContact[uid]; ok {
		delete(p.contactUser, id)
		delete(p.userContact, uid)
		p.deleted = append(p.deleted, simDeleted{folderGAB, id, p.tick()})
	}
	delete(p.standard, uid)
}

// copyPIMUser copies a user's private folders, contacts and distribution lists
// into another context, as copyUser does: all ids are new, and a folder that was
// shared arrives with the owner's permission only. Public folders stay behind.
func copyPIMUser(src *pimStore, from int, dst *pimStore, to int) {
	src.ensureUser(from)
	dst.ensureUser(to)
	folders := map[int]int{folderPrivate: folderPrivate}
	contacts := map[int]int{}
	if id, ok := src.userContact[from]; ok {
		contacts[id] = dst.userContact[to]
	}
	// Parents have lower numbers than what was made below them, unless folders
	// were moved; so repeat until nothing is left.
	for again := true; again; {
		again = false
		for _, id := range sortedKeys(src.folders) {
			f := src.folders[id]
			if _, done := folders[id]; done || f.kind != typePrivate || f.createdBy != from {
				continue
			}
			parent, ok := folders[f.parent]
			if !ok {
				continue
			}
			again = true
			if f.standard {
				folders[id] = dst.standard[to]
				dst.folders[dst.standard[to]].title = f.title
				continue
			}
			folders[id] = dst.addFolder(&simFolder{parent: parent, title: f.title, module: f.module, kind: typePrivate,
				perms: []simPerm{{to, false, bitsOwner}}, createdBy: to}).id
		}
	}
	var copied []*simContact
	for _, id := range sortedKeys(src.contacts) {
		c := src.contacts[id]
		folder, ok := folders[c.folder]
		if !ok {
			continue
		}
		n := dst.addContact(&simContact{folder: folder, createdBy: to, fields: maps.Clone(c.fields), list: c.list,
			members: slices.Clone(c.members)})
		contacts[id] = n.id
		copied = append(copied, n)
	}
	for _, c := range copied {
		for i, m := range c.members {
			if m.mailField == 0 {
				continue
			}
			id, ok := contacts[m.id]
			if !ok { // refers to a contact that stayed behind: keeps its address
				c.members[i] = simMember{displayName: m.displayName, mail: m.mail}
				continue
			}
			c.members[i].id, c.members[i].folder = id, folderGAB
			if n, ok := dst.contacts[id]; ok {
				c.members[i].folder = n.folder
			}
		}
	}
}

// clone copies the store, for snapshots.
func (p *pimStore) clone() *pimStore {
	out := *p
	out.kids = nil
	out.folders = make(map[int]*simFolder, len(p.folders))
	for id, f := range p.folders {
		n := *f
		n.perms = slices.Clone(f.perms)
		out.folders[id] = &n
	}
	out.contacts = make(map[int]*simContact, len(p.contacts))
	out.byFolder = make(map[int]map[int]*simContact, len(p.byFolder))
	for id, c := range p.contacts {
		n := *c
		n.fields, n.members = maps.Clone(c.fields), slices.Clone(c.members)
		out.contacts[id] = &n
		if out.byFolder[n.folder] == nil {
			out.byFolder[n.folder] = map[int]*simContact{}
		}
		out.byFolder[n.folder][id] = &n
	}
	out.standard, out.userContact, out.contactUser = maps.Clone(p.standard), maps.Clone(p.userContact),
		maps.Clone(p.contactUser)
	out.folderTimes, out.deleted = maps.Clone(p.folderTimes), slices.Clone(p.deleted)
	return &out
}
