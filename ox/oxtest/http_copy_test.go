package oxtest

import (
	"maps"
	"testing"
)

// private lists a user's private folders by title with their contacts' names.
func private(p *pimStore, uid int) map[string][]string {
	out := map[string][]string{}
	for _, id := range sortedKeys(p.folders) {
		f := p.folders[id]
		if f.kind != typePrivate || f.createdBy != uid {
			continue
		}
		names := []string{}
		for _, c := range p.contactsIn(id) {
			names = append(names, c.fields["display_name"])
		}
		out[f.title] = names
	}
	return out
}

func TestCopyPIMUser(t *testing.T) {
	t.Parallel()
	src, dst := newPIMStore(), newPIMStore()
	dst.ensureUser(2)
	src.ensureUser(3)
	src.ensureUser(4)
	friends := src.addFolder(&simFolder{parent: folderPrivate, title: "Friends", module: "contacts", kind: typePrivate,
		createdBy: 3,
		perms:     []simPerm{{3, false, bitsOwner}, {4, false, 257}}})
	deep := src.addFolder(&simFolder{parent: friends.id, title: "Deep", module: "contacts", kind: typePrivate,
		createdBy: 3,
		perms:     []simPerm{{3, false, bitsOwner}}})
	public := src.addFolder(&simFolder{parent: folderPublic, title: "Public", module: "contacts", kind: typePublic,
		createdBy: 3,
		perms:     []simPerm{{3, false, bitsOwner}}})
	add := func(folder int, name string) *simContact {
		return src.addContact(&simContact{folder: folder, createdBy: 3, fields: map[string]string{"display_name": name}})
	}
	bob := add(friends.id, "Bob")
	add(deep.id, "Eve")
	shared := add(public.id, "Stays")
	list := add(src.standard[3], "List")
	list.list = true
	list.members = []simMember{
		{id: bob.id, folder: friends.id, mail: "bob@x.example", mailField: 1},
		{id: shared.id, folder: public.id, mail: "stays@x.example", mailField: 1},
		{mail: "free@x.example"},
	}
	copyPIMUser(src, 3, dst, 9)

	want := map[string][]string{"Contacts": {"List"}, "Friends": {"Bob"}, "Deep": {"Eve"}}
	if got := private(dst, 9); !maps.EqualFunc(got, want, func(a, b []string) bool {
		return len(a) == len(b) &&
			(len(a) == 0 || a[0] == b[0])
	}) {
		t.Errorf("copied %v, want %v", got, want)
	}
	for _, f := range dst.folders {
		switch f.title {
		case "Friends":
			if len(f.perms) != 1 || f.perms[0] != (simPerm{9, false, bitsOwner}) {
				t.Errorf("permissions of the copy: %v", f.perms)
			}
		case "Public":
			t.Error("a public folder was copied")
		}
	}
	for _, c := range dst.contacts {
		if !c.list {
			continue
		}
		if m := c.members; m[0].mailField != 1 || dst.contacts[m[0].id].fields["display_name"] != "Bob" ||
			m[1].mailField != 0 || m[1].mail != "stays@x.example" || m[2].mail != "free@x.example" {
			t.Errorf("members of the copied list: %+v", m)
		}
	}
	if len(private(src, 3)) != 3 || len(src.contacts) != 4 {
		t.Error("the copy changed the source")
	}
	src.deleteUser(3, 2)
	if len(private(src, 3)) != 0 || src.folders[public.id].createdBy != 2 || src.folders[public.id].perms[0].entity != 2 {
		t.Errorf("after the deletion: %v, %+v", private(src, 3), src.folders[public.id])
	}
	if len(src.contacts) != 1 || shared.createdBy != 2 {
		t.Error("shared contacts must go to the heir")
	}
	again := newPIMStore()
	again.addFolder(&simFolder{parent: folderPublic, title: "Public", module: "contacts", kind: typePublic, createdBy: 3})
	again.deleteUser(3, 0)
	if len(again.folders) != 5 {
		t.Error("without an heir, shared folders are deleted")
	}
}

func TestPIMClone(t *testing.T) {
	t.Parallel()
	p := newPIMStore()
	p.ensureUser(3)
	c := p.addContact(&simContact{folder: p.standard[3], createdBy: 3, fields: map[string]string{"display_name": "A"}})
	q := p.clone()
	c.fields["display_name"] = "B"
	p.removeFolder(p.folders[p.standard[3]])
	if got := private(q, 3); len(got["Contacts"]) != 1 || got["Contacts"][0] != "A" {
		t.Errorf("the clone changed: %v", got)
	}
	q.children(folderPrivate)
	if q.contactsIn(q.standard[3])[0] == c {
		t.Error("a contact is shared")
	}
}
