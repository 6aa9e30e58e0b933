package oxtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

func perms(entries ...string) string { return "[" + strings.Join(entries, ",") + "]" }

func perm(entity int, group bool, bits int) string {
	return fmt.Sprintf(`{"entity":%d,"group":%v,"bits":%d}`, entity, group, bits)
}

func newFolder(title, permissions string) string {
	return fmt.Sprintf(`{"folder":{"module":"contacts","title":%q,"permissions":%s}}`, title, permissions)
}

const ownerBits = 403710016

func TestHTTPFolderRules(t *testing.T) {
	t.Parallel()
	s := school(t)
	books, tim := as(t, s, "books"), as(t, s, "tim")
	own := perm(books.uid, false, ownerBits)
	f := books.folder("School A")
	_, err := s.State().AddUser(17, oxtest.User{Name: "shut", Access: "webmail"})
	if err != nil {
		t.Fatal(err)
	}
	nobody := as(t, s, "shut")
	for name, tc := range map[string]struct {
		b    *browser
		code string
		args []string
	}{
		"without right to public folders": {tim, "FLD-0006", []string{"folder_id=2",
			newFolder("X", perms(perm(tim.uid, false, ownerBits)))}},
		"below a folder that is read-only": {tim, "FLD-0006", []string{"folder_id=" + f,
			newFolder("X", perms(perm(tim.uid, false, ownerBits)))}},
		"below no folder": {books, "FLD-0008", []string{"folder_id=4711", newFolder("X", perms(own))}},
		"wrong module": {books, "FLD-0014", []string{"folder_id=2",
			`{"folder":{"module":"infostore","title":"X"}}`}},
		"without title":          {books, "FLD-0007", []string{"folder_id=2", `{"folder":{"module":"contacts"}}`}},
		"same title":             {books, "FLD-1014", []string{"folder_id=2", newFolder("School A", perms(own))}},
		"same title with blanks": {books, "FLD-1014", []string{"folder_id=2", newFolder("School A  ", perms(own))}},
		"same title in capitals": {books, "", []string{"folder_id=2", newFolder("SCHOOL A", perms(own))}},
		"reserved title":         {books, "FLD-1033", []string{"folder_id=2", newFolder("Contacts", perms(own))}},
		"title of 767 characters": {books, "", []string{"folder_id=2",
			newFolder(strings.Repeat("ä", 767), perms(own))}},
		"title of 768 characters": {books, "FLD-0064", []string{"folder_id=2",
			newFolder(strings.Repeat("ä", 768), perms(own))}},
		"slash and emoji": {books, "", []string{"folder_id=2", newFolder("a/b 😀", perms(own))}},
		"unknown user": {books, "USR-0010", []string{"folder_id=2",
			newFolder("X", perms(own, perm(99, false, 257)))}},
		"unknown group": {books, "FLD-0044", []string{"folder_id=2",
			newFolder("X", perms(own, perm(99, true, 257)))}},
		"user twice": {books, "FLD-0079", []string{"folder_id=2", newFolder("X", perms(own, own))}},
		"group twice": {books, "FLD-0080", []string{"folder_id=2",
			newFolder("X", perms(own, perm(0, true, 257), perm(0, true, 1)))}},
		"permission without bits": {books, "FLD-1019", []string{"folder_id=2",
			newFolder("X", `[{"entity":3,"group":false}]`)}},
		"level 5": {books, "SVL-0011", []string{"folder_id=2",
			newFolder("X", perms(own, perm(0, true, 5)))}},
		"private without owner": {books, "FLD-0015", []string{"folder_id=1",
			newFolder("X", perms(perm(0, true, 257)))}},
		"private with two admins": {books, "FLD-0016", []string{"folder_id=1",
			newFolder("X", perms(own, perm(tim.uid, false, ownerBits)))}},
		"private with group as admin": {books, "FLD-0017", []string{"folder_id=1",
			newFolder("X", perms(own, perm(0, true, ownerBits)))}},
		"shared without the right to": {tim, "FLD-0072", []string{"folder_id=1",
			newFolder("X", perms(perm(tim.uid, false, ownerBits), perm(0, true, 257)))}},
		"private": {tim, "", []string{"folder_id=1",
			newFolder("X", perms(perm(tim.uid, false, ownerBits)))}},
		"no parent":    {books, "SVL-0002", []string{newFolder("X", perms(own))}},
		"webmail user": {nobody, "FLD-0006", []string{"folder_id=2", newFolder("X", perms(own))}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.b.t = t
			tc.b.want(tc.code, "folders new", tc.args...)
		})
	}
}

// bits returns the permissions of a folder as "entity:bits".
func (b *browser) bits(folder string) string {
	b.t.Helper()
	o := b.ok("folders get", "id="+folder)
	var out []string
	for _, p := range o["data"].(map[string]any)["permissions"].([]any) {
		m := p.(map[string]any)
		kind := "u"
		if m["group"].(bool) {
			kind = "g"
		}
		out = append(out, fmt.Sprintf("%s%v:%.0f", kind, m["entity"], m["bits"]))
	}
	return strings.Join(out, " ")
}

func TestHTTPFolderPermissions(t *testing.T) {
	t.Parallel()
	s := school(t)
	books, tim, mia := as(t, s, "books"), as(t, s, "tim"), as(t, s, "mia")
	own := perm(books.uid, false, ownerBits)

	f := books.folder("School A")
	o := tim.ok("folders get", "id="+f)
	if got := o["data"].(map[string]any)["own_rights"]; got != 257.0 {
		t.Errorf("a pupil's own_rights: %v", got)
	}
	// Level 3 is stored as nothing.
	books.ok("folders update", "id="+f, `{"permissions":`+perms(own, perm(0, true, 3), perm(tim.uid, false, 257))+"}")
	if got, want := books.bits(f), fmt.Sprintf("u%d:403710016 g0:0 u%d:257", books.uid, tim.uid); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mia.want("FLD-0003", "folders get", "id="+f)
	tim.ok("folders get", "id="+f)
	// A list replaces; without one nothing changes.
	books.ok("folders update", "id="+f, `{"title":"School B"}`)
	tim.ok("folders get", "id="+f)
	books.ok("folders update", "id="+f, `{"permissions":`+perms(own, perm(0, true, 257))+"}")
	if got, want := books.bits(f), fmt.Sprintf("u%d:403710016 g0:257", books.uid); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	tim.want("FLD-0010", "folders update", "id="+f, `{"title":"mine"}`)
	// The creator left out stays admin, and sees nothing.
	books.ok("folders update", "id="+f, `{"permissions":`+perms(perm(mia.uid, false, ownerBits))+"}")
	if got, want := mia.bits(f), fmt.Sprintf("u%d:403710016 u%d:268435456", mia.uid, books.uid); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	books.want("FLD-0003", "folders get", "id="+f)
	books.ok("folders update", "id="+f, `{"permissions":`+perms(own)+"}")
	if got := books.bits(f); !strings.Contains(got, "403710016") {
		t.Errorf("the creator cannot come back: %s", got)
	}
}

func TestHTTPFolderThroughGroup(t *testing.T) {
	t.Parallel()
	s := school(t)
	u, _ := s.State().User(17, "tim")
	gid, err := s.State().AddGroup(17, oxtest.Group{Name: "7b", Members: []schoolmail.UserID{u.ID}})
	if err != nil {
		t.Fatal(err)
	}
	books, tim, mia := as(t, s, "books"), as(t, s, "tim"), as(t, s, "mia")
	own := perm(books.uid, false, ownerBits)
	top := books.ok("folders new", "folder_id=2", newFolder("School", perms(own))).id()
	class := books.ok("folders new", "folder_id="+top, newFolder("7b", perms(own, perm(gid, true, 257)))).id()
	tim.ok("contacts all", "folder="+class, "columns=1")
	mia.want("CON-0104", "contacts all", "folder="+class, "columns=1")
	// Who may see a folder can walk to it.
	if n := len(tim.ok("folders list", "parent=2", "columns=1,300").rows()); n != 1 {
		t.Errorf("a pupil sees %d folders below public, want the one that leads to the class", n)
	}
	if n := len(mia.ok("folders list", "parent=2", "columns=1,300").rows()); n != 1 { // the global address book
		t.Errorf("a teacher sees %d folders below public", n)
	}
	public := tim.ok("folders allVisible", "content_type=contacts",
		"columns=1,300,305")["data"].(map[string]any)["public"].([]any)
	if len(public) != 2 || public[1].([]any)[0] != class {
		t.Errorf("all visible: %v", public)
	}
}

func TestHTTPFolderIDs(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "mia")
	if got := b.ok("folders get", "id=con://0/6")["data"].(map[string]any)["id"]; got != "con://0/6" {
		t.Errorf("get echoes %v", got)
	}
	if got := b.ok("folders list", "parent=2", "columns=1").rows()[0][0]; got != "con://0/6" {
		t.Errorf("list gives %v", got)
	}
	b.want("CON-2011", "contacts all", "folder=con://0/6", "columns=1")
	if got := b.ok("addressbooks all", "folder=con://0/6", "columns=20").rows()[0][0]; got != "con://0/6" {
		t.Errorf("addressbooks gives %v", got)
	}
	old := as(t, school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{PlainFolderIDs: true, NumberIDs: true})), "mia")
	old.want("FLD-1025", "folders get", "id=con://0/6")
	if got := old.ok("contacts all", "folder=6", "columns=1").rows()[0][0]; fmt.Sprintf("%T", got) != "float64" {
		t.Errorf("id %v is no number", got)
	}
}

func TestHTTPFolderDelete(t *testing.T) {
	t.Parallel()
	s := school(t)
	books, mia := as(t, s, "books"), as(t, s, "mia")
	f := books.folder("School")
	books.contact(f, `"display_name":"A"`)
	o := mia.call("folders delete", "["+f+"]")
	if o.code() != "FLD-0010" || o["categories"] != "WARNING" || fmt.Sprint(o["data"]) != "["+f+"]" {
		t.Errorf("delete by a reader: %v", o)
	}
	if o := mia.call("folders delete", "failOnError=true", "["+f+"]"); o.code() != "FLD-0010" || o["data"] != nil {
		t.Errorf("with failOnError: %v", o)
	}
	if got := books.call("folders delete", "[2]").code(); got != "FLD-0081" {
		t.Errorf("system folder: %s", got)
	}
	books.want("FLD-1022", "folders delete", "timestamp=1", "["+f+"]")
	sub := books.ok("folders new", "folder_id="+f, newFolder("Class", perms(perm(books.uid, false, ownerBits)))).id()
	if o := books.ok("folders delete", "["+f+"]"); fmt.Sprint(o["data"]) != "[]" {
		t.Errorf("delete: %v", o)
	}
	books.want("FLD-0008", "folders get", "id="+sub)
	books.want("FLD-0008", "contacts all", "folder="+f, "columns=1")
}

func TestHTTPFolderUpdate(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "books")
	own := perm(b.uid, false, ownerBits)
	f, g := b.folder("A"), b.folder("B")
	sub := b.ok("folders new", "folder_id="+f, newFolder("Sub", perms(own, perm(0, true, 257)))).id()
	b.want("FLD-1014", "folders update", "id="+f, `{"title":"B"}`)
	b.want("FLD-1022", "folders update", "id="+f, "timestamp=1", `{"title":"C"}`)
	b.ok("folders update", "id="+f, "timestamp=99999999999999", `{"folder":{"title":"C"}}`)
	b.want("FLD-0010", "folders update", "id=2", `{"title":"C"}`)
	b.want("FLD-0014", "folders update", "id="+f, `{"folder_id":"`+sub+`"}`)
	b.ok("folders update", "id="+sub, `{"folder_id":"`+g+`"}`)
	if rows := b.ok("folders path", "id="+sub, "columns=1,300").rows(); len(rows) != 3 || rows[1][0] != g {
		t.Errorf("path after the move: %v", rows)
	}
	b.ok("folders update", "id="+g, `{"permissions":`+perms(own)+"}")
	if got := b.bits(sub); !strings.Contains(got, "g0:257") {
		t.Errorf("permissions of a subfolder changed without cascading: %s", got)
	}
	b.ok("folders update", "id="+g, "cascadePermissions=true", `{"permissions":`+perms(own)+"}")
	if got := b.bits(sub); strings.Contains(got, "g0") {
		t.Errorf("permissions of a subfolder: %s", got)
	}
	standard := fmt.Sprint(b.ok("folders allVisible", "content_type=contacts",
		"columns=1,308")["data"].(map[string]any)["private"].([]any)[0].([]any)[0])
	b.want("FLD-0071", "folders update", "id="+standard, `{"title":"C"}`)
	if got := b.call("folders delete", "["+standard+"]").code(); got != "FLD-0031" {
		t.Errorf("default folder: %s", got)
	}
}
