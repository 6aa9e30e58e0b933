package state

import (
	"maps"
	"slices"
	"time"
)

// PIM holds the folders and contacts of one context. Its methods expect the
// state's lock to be held.
type PIM struct {
	Folders     map[int]*Folder
	Kids        map[int][]*Folder // folders by parent; nil: to be built again
	Contacts    map[int]*Contact
	ByFolder    map[int]map[int]*Contact
	Standard    map[int]int // user -> default contact folder
	UserContact map[int]int // user -> id of the entry in folder 6
	ContactUser map[int]int // the other way round
	nextFolder  int
	nextContact int
	Clock       int64 // last timestamp handed out, milliseconds
	FolderTimes map[int]int64
	Deleted     []Deleted
}

type Folder struct {
	ID, Parent int
	Title      string
	Module     string
	Kind       int // 1 private, 2 public, 5 system
	Perms      []Permission
	CreatedBy  int
	ModifiedBy int
	Created    int64
	Modified   int64
	Standard   bool
}

// Contact is a contact or a distribution list. A field that was set to "" is
// present and empty, as on the real server.
type Contact struct {
	ID, Folder int
	CreatedBy  int
	ModifiedBy int
	Created    int64
	Modified   int64
	Fields     map[string]string
	List       bool
	Members    []Member
}

type Member struct {
	ID, Folder  int
	DisplayName string
	Mail        string
	MailField   int
}

type Deleted struct {
	Folder, ID int
	At         int64
}

// Folders of every context.
const (
	FolderRoot    = 0
	FolderPrivate = 1
	FolderPublic  = 2
	folderShared  = 3
	FolderGAB     = 6

	TypePrivate = 1
	TypePublic  = 2
	TypeShared  = 3
	TypeSystem  = 5
)

func newPIM() *PIM {
	p := &PIM{
		Folders: map[int]*Folder{}, Contacts: map[int]*Contact{}, ByFolder: map[int]map[int]*Contact{},
		Standard: map[int]int{}, UserContact: map[int]int{}, ContactUser: map[int]int{},
		nextFolder: 20, nextContact: 1, FolderTimes: map[int]int64{},
	}
	everybody := func(bits int) []Permission { return []Permission{{0, true, bits}} }
	for _, f := range []*Folder{
		{ID: FolderRoot, Parent: -1, Title: "root", Module: "system", Perms: everybody(BitsSee)},
		{ID: FolderPrivate, Parent: FolderRoot, Title: "Private folders", Module: "system", Perms: everybody(bitsSubfolder)},
		{ID: FolderPublic, Parent: FolderRoot, Title: "Public folders", Module: "system", Perms: everybody(bitsSubfolder)},
		{ID: folderShared, Parent: FolderRoot, Title: "Shared folders", Module: "system", Perms: everybody(BitsSee)},
		{ID: FolderGAB, Parent: FolderPublic, Title: "All users", Module: "contacts"},
	} {
		f.Kind = TypeSystem
		if f.ID == FolderGAB {
			f.Kind = TypePublic
		}
		f.Modified = p.Tick()
		f.Created = f.Modified
		p.Folders[f.ID] = f
	}
	return p
}

// Tick hands out a timestamp that is later than all before.
func (p *PIM) Tick() int64 {
	p.Clock = max(p.Clock+1, time.Now().UnixMilli())
	return p.Clock
}

// EnsureUser makes what OX makes for a new user: the default contact folder and
// the entry in the global address book.
func (p *PIM) EnsureUser(uid int) {
	if _, ok := p.UserContact[uid]; ok {
		return
	}
	id := p.nextContact
	p.nextContact++
	p.UserContact[uid] = id
	p.ContactUser[id] = uid
	f := p.AddFolder(&Folder{Parent: FolderPrivate, Title: "Contacts", Module: "contacts", Kind: TypePrivate,
		Perms: []Permission{{uid, false, BitsOwner}}, CreatedBy: uid, Standard: true})
	p.Standard[uid] = f.ID
}

func (p *PIM) AddFolder(f *Folder) *Folder {
	f.ID = p.nextFolder
	p.nextFolder++
	f.Created = p.Tick()
	f.Modified, f.ModifiedBy = f.Created, f.CreatedBy
	p.Folders[f.ID] = f
	p.Kids = nil
	return f
}

func (p *PIM) AddContact(c *Contact) *Contact {
	c.ID = p.nextContact
	p.nextContact++
	c.Created = p.Tick()
	c.Modified, c.ModifiedBy = c.Created, c.CreatedBy
	p.put(c)
	return c
}

func (p *PIM) put(c *Contact) {
	p.Contacts[c.ID] = c
	if p.ByFolder[c.Folder] == nil {
		p.ByFolder[c.Folder] = map[int]*Contact{}
	}
	p.ByFolder[c.Folder][c.ID] = c
	p.FolderTimes[c.Folder] = c.Modified
}

// Touch records a change made by uid.
func (p *PIM) Touch(c *Contact, uid int) {
	c.Modified, c.ModifiedBy = p.Tick(), uid
	p.FolderTimes[c.Folder] = c.Modified
}

func (p *PIM) RemoveContact(c *Contact) {
	at := p.Tick()
	delete(p.Contacts, c.ID)
	delete(p.ByFolder[c.Folder], c.ID)
	p.FolderTimes[c.Folder] = at
	p.Deleted = append(p.Deleted, Deleted{c.Folder, c.ID, at})
}

func (p *PIM) MoveContact(c *Contact, folder int) {
	p.Deleted = append(p.Deleted, Deleted{c.Folder, c.ID, p.Tick()})
	delete(p.ByFolder[c.Folder], c.ID)
	c.Folder = folder
	p.put(c)
}

// ContactsIn lists a folder by id.
func (p *PIM) ContactsIn(folder int) []*Contact {
	m := p.ByFolder[folder]
	out := make([]*Contact, 0, len(m))
	for _, id := range SortedKeys(m) {
		out = append(out, m[id])
	}
	return out
}

func (p *PIM) Children(folder int) []*Folder {
	if p.Kids == nil {
		p.Kids = map[int][]*Folder{}
		for _, id := range SortedKeys(p.Folders) {
			if f := p.Folders[id]; f.ID != FolderRoot {
				p.Kids[f.Parent] = append(p.Kids[f.Parent], f)
			}
		}
	}
	return slices.Clone(p.Kids[folder])
}

func SortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

// RemoveFolder removes a folder with everything below it.
func (p *PIM) RemoveFolder(f *Folder) {
	for _, c := range p.Children(f.ID) {
		p.RemoveFolder(c)
	}
	for _, c := range p.ContactsIn(f.ID) {
		p.RemoveContact(c)
	}
	delete(p.Folders, f.ID)
	delete(p.ByFolder, f.ID)
	p.Kids = nil
}

// inherit gives a user's folder to another one.
func (f *Folder) inherit(from, to int) {
	f.CreatedBy = to
	if slices.ContainsFunc(f.Perms, func(q Permission) bool { return !q.Group && q.Entity == to }) {
		return
	}
	for i, q := range f.Perms {
		if !q.Group && q.Entity == from {
			f.Perms[i].Entity = to
		}
	}
}

// DeleteUser removes a user's private data. What the user made in public
// folders goes to reassign, or is deleted if that is 0 or negative.
func (p *PIM) DeleteUser(uid, reassign int) {
	for _, id := range SortedKeys(p.Folders) {
		f, ok := p.Folders[id]
		if !ok {
			continue // below one already removed
		}
		made := f.CreatedBy == uid
		if made && (f.Kind == TypePrivate || id >= 20 && reassign <= 0) {
			p.RemoveFolder(f)
			continue
		}
		if made && id >= 20 {
			f.inherit(uid, reassign)
		}
		f.Perms = slices.DeleteFunc(f.Perms, func(q Permission) bool { return !q.Group && q.Entity == uid })
	}
	for _, id := range SortedKeys(p.Contacts) {
		if c := p.Contacts[id]; c.CreatedBy == uid {
			if reassign > 0 {
				c.CreatedBy = reassign
			} else {
				p.RemoveContact(c)
			}
		}
	}
	if id, ok := p.UserContact[uid]; ok {
		delete(p.ContactUser, id)
		delete(p.UserContact, uid)
		p.Deleted = append(p.Deleted, Deleted{FolderGAB, id, p.Tick()})
	}
	delete(p.Standard, uid)
}

// copyPIMUser copies a user's private folders, contacts and distribution lists
// into another context, as copyUser does: all ids are new, and a folder that was
// shared arrives with the owner's permission only. Public folders stay behind.
func copyPIM(src *PIM, from int, dst *PIM, to int) {
	src.EnsureUser(from)
	dst.EnsureUser(to)
	folders := map[int]int{FolderPrivate: FolderPrivate}
	contacts := map[int]int{}
	if id, ok := src.UserContact[from]; ok {
		contacts[id] = dst.UserContact[to]
	}
	// Parents have lower numbers than what was made below them, unless folders
	// were moved; so repeat until nothing is left.
	for again := true; again; {
		again = false
		for _, id := range SortedKeys(src.Folders) {
			f := src.Folders[id]
			if _, done := folders[id]; done || f.Kind != TypePrivate || f.CreatedBy != from {
				continue
			}
			parent, ok := folders[f.Parent]
			if !ok {
				continue
			}
			again = true
			if f.Standard {
				folders[id] = dst.Standard[to]
				dst.Folders[dst.Standard[to]].Title = f.Title
				continue
			}
			folders[id] = dst.AddFolder(&Folder{Parent: parent, Title: f.Title, Module: f.Module, Kind: TypePrivate,
				Perms: []Permission{{to, false, BitsOwner}}, CreatedBy: to}).ID
		}
	}
	var copied []*Contact
	for _, id := range SortedKeys(src.Contacts) {
		c := src.Contacts[id]
		folder, ok := folders[c.Folder]
		if !ok {
			continue
		}
		n := dst.AddContact(&Contact{Folder: folder, CreatedBy: to, Fields: maps.Clone(c.Fields), List: c.List,
			Members: slices.Clone(c.Members)})
		contacts[id] = n.ID
		copied = append(copied, n)
	}
	for _, c := range copied {
		for i, m := range c.Members {
			if m.MailField == 0 {
				continue
			}
			id, ok := contacts[m.ID]
			if !ok { // refers to a contact that stayed behind: keeps its address
				c.Members[i] = Member{DisplayName: m.DisplayName, Mail: m.Mail}
				continue
			}
			c.Members[i].ID, c.Members[i].Folder = id, FolderGAB
			if n, ok := dst.Contacts[id]; ok {
				c.Members[i].Folder = n.Folder
			}
		}
	}
}

// Clone copies the store, for snapshots.
func (p *PIM) Clone() *PIM {
	out := *p
	out.Kids = nil
	out.Folders = make(map[int]*Folder, len(p.Folders))
	for id, f := range p.Folders {
		n := *f
		n.Perms = slices.Clone(f.Perms)
		out.Folders[id] = &n
	}
	out.Contacts = make(map[int]*Contact, len(p.Contacts))
	out.ByFolder = make(map[int]map[int]*Contact, len(p.ByFolder))
	for id, c := range p.Contacts {
		n := *c
		n.Fields, n.Members = maps.Clone(c.Fields), slices.Clone(c.Members)
		out.Contacts[id] = &n
		if out.ByFolder[n.Folder] == nil {
			out.ByFolder[n.Folder] = map[int]*Contact{}
		}
		out.ByFolder[n.Folder][id] = &n
	}
	out.Standard, out.UserContact, out.ContactUser = maps.Clone(p.Standard), maps.Clone(p.UserContact),
		maps.Clone(p.ContactUser)
	out.FolderTimes, out.Deleted = maps.Clone(p.FolderTimes), slices.Clone(p.Deleted)
	return &out
}
