package oxtest_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// Whatever a client sends, the simulated server answers as OX does: with an
// envelope, never by falling over.
func FuzzHTTPBody(f *testing.F) {
	for _, body := range []string{
		`{"folder_id":"20","display_name":"A","birthday":1,"distribution_list":[{"mail":"a@b","mail_field":0}],` +
			`"mark_as_distributionlist":true}`,
		`{"folder":{"module":"contacts","title":"T","permissions":[{"entity":0,"group":true,"bits":257}]}}`,
		`["20","6",7]`,
		`[{"folder":"20","id":"1"},{"folder":"6","id":1}]`,
		`{"filter":["and",["=",{"field":"last_name"},"M*"],["not",[">",{"field":"user_id"},0]]]}`,
		`{"pattern":"*","folder":["6",20]}`,
		`[{"module":"contacts","action":"all","folder":"20","columns":"1,500","data":{}},{"module":"user","action":"all",` +
			`"columns":[1]}]`,
		"Given name,Sur name,Birthday\nA,B,1.1.2000\n\"x", `null`, `{"title":null,"folder_id":{}}`,
	} {
		f.Add(body)
	}
	ops := []string{"contacts new", "contacts update", "contacts delete", "contacts list", "contacts search",
		"contacts advancedSearch",
		"contacts listuser", "folders new", "folders update", "folders delete", "user list", "user search", "group search",
		"group list",
		"multiple", "find query", "find autocomplete", "export CSV", "export VCARD"}
	f.Fuzz(func(t *testing.T, body string) {
		s := school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{Rate: -1, FuzzyImport: true}))
		b := as(t, s, "books")
		folder := b.folder("Class")
		id, _ := b.contact(folder, `"display_name":"A"`)
		for _, op := range ops {
			module, action, _ := strings.Cut(op, " ")
			params := url.Values{"action": {action}, "session": {b.session}, "columns": {"1,20,500,592"},
				"timestamp": {"99999999999999"},
				"folder":    {folder}, "folder_id": {"2"}, "id": {id}, "module": {"contacts"}}
			if module == "folders" && action == "update" {
				params.Set("id", folder)
			}
			status, _, got := b.do("PUT", module, params, "", []byte(body))
			if module == "export" || status == 400 {
				continue
			}
			if status != 200 || !json.Valid(got) {
				t.Fatalf("%s: status %d, %s", op, status, got)
			}
		}
		status, text := b.upload("import", folder, body, "force_json_response=true")
		if status != 200 || !json.Valid([]byte(text)) {
			t.Fatalf("import: status %d, %s", status, text)
		}
	})
}

func TestInspectAndSeed(t *testing.T) {
	t.Parallel()
	s := school(t)
	st := s.State()
	if _, err := st.AddPrivateContact(17, "mia", "", map[string]string{"display_name": "Friend"}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.AddPrivateContact(17, "mia", "Family", map[string]string{"display_name": "Aunt"}); err != nil {
		t.Fatal(err)
	}
	for name, fields := range map[string]map[string]string{"shoe": {"shoe_size": "38"}, "mail": {"email1": "a b"}} {
		if _, err := st.AddPrivateContact(17, "mia", "", fields); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := st.AddPrivateContact(17, "nobody", "", nil); err == nil {
		t.Error("unknown user accepted")
	}
	if got := st.PrivateContacts(17, "mia"); len(got) != 2 || got[0].Fields["display_name"] != "Friend" ||
		got[1].Fields["display_name"] != "Aunt" {
		t.Errorf("private contacts: %+v", got)
	}
	if got := st.PrivateContacts(17, "tim"); len(got) != 0 {
		t.Errorf("another's: %+v", got)
	}
	b := as(t, s, "books")
	f := b.folder("Class")
	b.contact(f, `"display_name":"all","mark_as_distributionlist":true,"distribution_list":[{"mail":"a@x.example",`+
		`"mail_field":0}]`)
	var found bool
	for _, x := range st.Folders(17) {
		if x.Title == "Class" {
			found = true
			if c := st.Contacts(17, x.ID); len(c) != 1 || !c[0].List || len(c[0].Members) != 1 || x.Private ||
				len(x.Permissions) != 2 || x.Permissions[1].Bits != 257 {
				t.Errorf("folder %+v, contacts %+v", x, c)
			}
		}
	}
	if !found {
		t.Error("the folder is not shown")
	}
	snap := st.Snapshot()
	b.contact(f, `"display_name":"B"`)
	st.Restore(snap)
	if n := len(b.ok("contacts all", "folder="+f, "columns=1").rows()); n != 1 {
		t.Errorf("after restoring: %d", n)
	}
}
