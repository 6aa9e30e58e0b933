package oxtest

import (
	"fmt"
	"maps"
	"slices"
)

// Folder is a folder of the HTTP API as [State.Folders] shows it.
type Folder struct {
	ID, Parent  int
	Title       string
	Module      string // "contacts", "calendar", "tasks"
	Private     bool   // below a user's private folders
	Default     bool   // made by OX for the user
	CreatedBy   int
	Permissions []FolderPermission
}

// FolderPermission is an entry of a folder's permissions, with OX's packed number.
type FolderPermission struct {
	Entity int
	Group  bool
	Bits   int
}

// Contact is a contact or distribution list as [State.Contacts] shows it.
type Contact struct {
	ID, Folder int
	CreatedBy  int
	Modified   int64             // milliseconds
	Fields     map[string]string // by JSON name, dates as 2006-01-02
	List       bool
	Members    []string // addresses of a distribution list
}

// Folders lists the folders of a context by id, without those of the system.
func (s *State) Folders(context int) []Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return nil
	}
	var out []Folder
	for _, id := range sortedKeys(c.pim.folders) {
		f := c.pim.folders[id]
		if f.kind == typeSystem || id == folderGAB {
			continue
		}
		v := Folder{ID: id, Parent: f.parent, Title: f.title, Module: f.module, Private: f.kind == typePrivate,
			Default: f.standard, CreatedBy: f.createdBy}
		for _, p := range f.perms {
			v.Permissions = append(v.Permissions, FolderPermission{p.entity, p.group, p.bits})
		}
		out = append(out, v)
	}
	return out
}

// Contacts lists the contacts of a folder by id, or of all folders if folder is
// 0. The entries of the global address book are not among them: they are the
// users.
func (s *State) Contacts(context, folder int) []Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return nil
	}
	var out []Contact
	for _, id := range sortedKeys(c.pim.contacts) {
		x := c.pim.contacts[id]
		if folder != 0 && x.folder != folder {
			continue
		}
		v := Contact{ID: id, Folder: x.folder, CreatedBy: x.createdBy, Modified: x.modified, Fields: maps.Clone(x.fields),
			List: x.list}
		for _, m := range x.members {
			v.Members = append(v.Members, m.mail)
		}
		out = append(out, v)
	}
	return out
}

// PrivateContacts lists the contacts in a user's private folders by id.
func (s *State) PrivateContacts(context int, name string) []Contact {
	private := map[int]bool{}
	u, ok := s.User(context, name)
	for _, f := range s.Folders(context) {
		if ok && f.Private && f.CreatedBy == int(u.ID) {
			private[f.ID] = true
		}
	}
	return slices.DeleteFunc(s.Contacts(context, 0), func(c Contact) bool { return !private[c.Folder] })
}

// AddPrivateContact puts a contact into a private folder of a user, which is made
// if it is not there; the title "" means the default folder. It returns the
// contact's id.
func (s *State) AddPrivateContact(context int, name, folder string, fields map[string]string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil || c.userByName(name) == nil {
		return 0, fmt.Errorf("oxtest: no user %q in context %d", name, context)
	}
	uid := c.userByName(name).id
	c.pim.ensureUser(uid)
	id := c.pim.standard[uid]
	if folder != "" {
		id = 0
		for _, f := range c.pim.children(folderPrivate) {
			if f.createdBy == uid && f.title == folder {
				id = f.id
			}
		}
		if id == 0 {
			id = c.pim.addFolder(&simFolder{parent: folderPrivate, title: folder, module: "contacts", kind: typePrivate,
				perms: []simPerm{{uid, false, bitsOwner}}, createdBy: uid}).id
		}
	}
	for field, text := range fields {
		if !knownField(field) {
			return 0, fmt.Errorf("oxtest: contacts have no field %q", field)
		}
		if problem := checkField(field, text); problem != nil {
			return 0, fmt.Errorf("oxtest: %w", problem)
		}
	}
	return c.pim.addContact(&simContact{folder: id, createdBy: uid, fields: maps.Clone(fields)}).id, nil
}
