package state

import (
	"maps"
	"testing"
)

// private lists a user's private folders by title with their contacts' names.
func private(p *PIM, uid int) map[string][]string {
	out := map[string][]string{}
	for _, id := range SortedKeys(p.Folders) {
		f := p.Folders[id]
		if f.Kind != TypePrivate || f.CreatedBy != uid {
			continue
		}
		names := []string{}
		for _, c := range p.ContactsIn(id) {
			names = append(names, c.Fields["display_name"])
		}
		out[f.Title] = names
	}
	return out
}

func TestCopyPIMUser(t *testing.T) {
	t.Parallel()
	src, dst := newPIM(), newPIM()
	dst.EnsureUser(2)
	src.EnsureUser(3)
	src.EnsureUser(4)
	friends := src.AddFolder(&Folder{Parent: FolderPrivate, Title: "Friends", Module: "contacts", Kind: TypePrivate,
		CreatedBy: 3,
		Perms:     []Permission{{Entity: 3, Group: false, Bits: BitsOwner}, {Entity: 4, Group: false, Bits: 257}}})
	deep := src.AddFolder(&Folder{Parent: friends.ID, Title: "Deep", Module: "contacts", Kind: TypePrivate,
		CreatedBy: 3,
		Perms:     []Permission{{Entity: 3, Group: false, Bits: BitsOwner}}})
	public := src.AddFolder(&Folder{Parent: FolderPublic, Title: "Public", Module: "contacts", Kind: TypePublic,
		CreatedBy: 3,
		Perms:     []Permission{{Entity: 3, Group: false, Bits: BitsOwner}}})
	add := func(folder int, name string) *Contact {
		return src.AddContact(&Contact{Folder: folder, CreatedBy: 3, Fields: map[string]string{"display_name": name}})
	}
	bob := add(friends.ID, "Bob")
	add(deep.ID, "Eve")
	shared := add(public.ID, "Stays")
	list := add(src.Standard[3], "List")
	list.List = true
	list.Members = []Member{
		{ID: bob.ID, Folder: friends.ID, Mail: "bob@x.example", MailField: 1},
		{ID: shared.ID, Folder: public.ID, Mail: "stays@x.example", MailField: 1},
		{Mail: "free@x.example"},
	}
	copyPIM(src, 3, dst, 9)

	want := map[string][]string{"Contacts": {"List"}, "Friends": {"Bob"}, "Deep": {"Eve"}}
	if got := private(dst, 9); !maps.EqualFunc(got, want, func(a, b []string) bool {
		return len(a) == len(b) &&
			(len(a) == 0 || a[0] == b[0])
	}) {
		t.Errorf("copied %v, want %v", got, want)
	}
	for _, f := range dst.Folders {
		switch f.Title {
		case "Friends":
			if len(f.Perms) != 1 || f.Perms[0] != (Permission{Entity: 9, Group: false, Bits: BitsOwner}) {
				t.Errorf("permissions of the copy: %v", f.Perms)
			}
		case "Public":
			t.Error("a public folder was copied")
		}
	}
	for _, c := range dst.Contacts {
		if !c.List {
			continue
		}
		if m := c.Members; m[0].MailField != 1 || dst.Contacts[m[0].ID].Fields["display_name"] != "Bob" ||
			m[1].MailField != 0 || m[1].Mail != "stays@x.example" || m[2].Mail != "free@x.example" {
			t.Errorf("members of the copied list: %+v", m)
		}
	}
	if len(private(src, 3)) != 3 || len(src.Contacts) != 4 {
		t.Error("the copy changed the source")
	}
	src.DeleteUser(3, 2)
	if len(private(src, 3)) != 0 || src.Folders[public.ID].CreatedBy != 2 || src.Folders[public.ID].Perms[0].Entity != 2 {
		t.Errorf("after the deletion: %v, %+v", private(src, 3), src.Folders[public.ID])
	}
	if len(src.Contacts) != 1 || shared.CreatedBy != 2 {
		t.Error("shared contacts must go to the heir")
	}
	again := newPIM()
	again.AddFolder(&Folder{Parent: FolderPublic, Title: "Public", Module: "contacts", Kind: TypePublic, CreatedBy: 3})
	again.DeleteUser(3, 0)
	if len(again.Folders) != 5 {
		t.Error("without an heir, shared folders are deleted")
	}
}

func TestPIMClone(t *testing.T) {
	t.Parallel()
	p := newPIM()
	p.EnsureUser(3)
	c := p.AddContact(&Contact{Folder: p.Standard[3], CreatedBy: 3, Fields: map[string]string{"display_name": "A"}})
	q := p.Clone()
	c.Fields["display_name"] = "B"
	p.RemoveFolder(p.Folders[p.Standard[3]])
	if got := private(q, 3); len(got["Contacts"]) != 1 || got["Contacts"][0] != "A" {
		t.Errorf("the clone changed: %v", got)
	}
	q.Children(FolderPrivate)
	if q.ContactsIn(q.Standard[3])[0] == c {
		t.Error("a contact is shared")
	}
}
