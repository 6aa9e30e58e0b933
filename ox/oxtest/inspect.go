package oxtest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/httpapi"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
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
func (s *State) Folders(context schoolmail.ContextID) []Folder {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return nil
	}
	var out []Folder
	for _, id := range state.SortedKeys(c.PIM.Folders) {
		f := c.PIM.Folders[id]
		if f.Kind == state.TypeSystem || id == state.FolderGAB {
			continue
		}
		v := Folder{ID: id, Parent: f.Parent, Title: f.Title, Module: f.Module, Private: f.Kind == state.TypePrivate,
			Default: f.Standard, CreatedBy: f.CreatedBy}
		for _, p := range f.Perms {
			v.Permissions = append(v.Permissions, FolderPermission{p.Entity, p.Group, p.Bits})
		}
		out = append(out, v)
	}
	return out
}

// Contacts lists the contacts of a folder by id, or of all folders if folder is
// 0. The entries of the global address book are not among them: they are the
// users.
func (s *State) Contacts(context schoolmail.ContextID, folder int) []Contact {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return nil
	}
	var out []Contact
	for _, id := range state.SortedKeys(c.PIM.Contacts) {
		x := c.PIM.Contacts[id]
		if folder != 0 && x.Folder != folder {
			continue
		}
		v := Contact{ID: id, Folder: x.Folder, CreatedBy: x.CreatedBy, Modified: x.Modified, Fields: maps.Clone(x.Fields),
			List: x.List}
		for _, m := range x.Members {
			v.Members = append(v.Members, m.Mail)
		}
		out = append(out, v)
	}
	return out
}

// PrivateContacts lists the contacts in a user's private folders by id.
func (s *State) PrivateContacts(context schoolmail.ContextID, name string) []Contact {
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
func (s *State) AddPrivateContact(context schoolmail.ContextID, name, folder string, fields map[string]string) (int,
	error) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil || c.UserByName(name) == nil {
		return 0, fmt.Errorf("oxtest: no user %q in context %d", name, context)
	}
	uid := c.UserByName(name).ID
	c.PIM.EnsureUser(uid)
	id := c.PIM.Standard[uid]
	if folder != "" {
		id = 0
		for _, f := range c.PIM.Children(state.FolderPrivate) {
			if f.CreatedBy == uid && f.Title == folder {
				id = f.ID
			}
		}
		if id == 0 {
			id = c.PIM.AddFolder(&state.Folder{Parent: state.FolderPrivate, Title: folder, Module: "contacts",
				Kind:  state.TypePrivate,
				Perms: []state.Permission{{Entity: uid, Group: false, Bits: state.BitsOwner}}, CreatedBy: uid}).ID
		}
	}
	for field, text := range fields {
		if !httpapi.KnownField(field) {
			return 0, fmt.Errorf("oxtest: contacts have no field %q", field)
		}
		if problem := httpapi.CheckField(field, text); problem != nil {
			return 0, fmt.Errorf("oxtest: %w", problem)
		}
	}
	return c.PIM.AddContact(&state.Contact{Folder: id, CreatedBy: uid, Fields: maps.Clone(fields)}).ID, nil
}
