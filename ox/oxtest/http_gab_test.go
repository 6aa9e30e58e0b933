package oxtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

func (b *browser) has(capability string) bool {
	b.t.Helper()
	for _, c := range b.ok("capabilities all")["data"].([]any) {
		if c.(map[string]any)["id"] == capability {
			return true
		}
	}
	return false
}

func TestHTTPGlobalAddressBook(t *testing.T) {
	t.Parallel()
	s := school(t)
	mia, tim := as(t, s, "mia"), as(t, s, "tim")
	const cols = "columns=1,20,500,555,542,519"
	for name, tc := range map[string]struct {
		op   string
		args []string
		open int    // rows for who sees the book
		code string // for who does not
		shut int
	}{
		"all":               {"contacts all", []string{"folder=6", cols}, 4, "CON-0104", 0},
		"get":               {"contacts get", []string{"folder=6", "id=1"}, 0, "CON-0104", 0},
		"search in 6":       {"contacts search", []string{cols, `{"pattern":"*","folder":["6"]}`}, 4, "", 1},
		"search everywhere": {"contacts search", []string{cols, `{"pattern":"*"}`}, 4, "", 0},
		"advanced search": {"contacts advancedSearch", []string{cols, `{"filter":["and",[">",{"field":"user_id"},0]]}`},
			4, "", 0},
		"autocomplete":       {"contacts autocomplete", []string{"query=t", "email=false", cols}, 1, "", 0},
		"updates":            {"contacts updates", []string{"folder=6", "timestamp=0", cols}, 4, "CON-0104", 0},
		"list":               {"contacts list", []string{cols, `[{"folder":"6","id":"1"}]`}, 1, "CON-0104", 0},
		"addressbooks":       {"addressbooks all", []string{"folder=con://0/6", cols}, 4, "CON-0104", 0},
		"folder":             {"folders get", []string{"id=6"}, 0, "FLD-0003", 0},
		"folder, other form": {"folders get", []string{"id=con://0/6"}, 0, "FLD-0003", 0},
		"users":              {"user all", []string{cols}, 4, "", 4},
		"user search":        {"user search", []string{cols, `{"pattern":"*m*"}`}, 3, "", 3},
		"groups":             {"group all", []string{"columns=1,700,701,702"}, 1, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			mia.t, tim.t = t, t
			if n := len(mia.ok(tc.op, tc.args...).rows()); n != tc.open {
				t.Errorf("open: %d rows, want %d", n, tc.open)
			}
			o := tim.call(tc.op, tc.args...)
			if n := len(o.rows()); o.code() != tc.code || n != tc.shut {
				t.Errorf("closed: %d rows, code %q, want %d, %q", n, o.code(), tc.shut, tc.code)
			}
		})
	}
	mia.t, tim.t = t, t
	if !mia.has("gab") || tim.has("gab") {
		t.Error("capability gab is wrong")
	}
	book := func(b *browser) int {
		n := 0
		for _, r := range b.ok("folders allVisible", "content_type=contacts",
			"columns=1,300,305")["data"].(map[string]any)["public"].([]any) {
			if r.([]any)[0] == "6" {
				n++
			}
		}
		return n
	}
	if book(mia) != 1 || book(tim) != 0 {
		t.Error("folder 6 among the visible ones is wrong")
	}
}

func TestHTTPLimitedFields(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		opts oxtest.HTTPOptions
		want string
	}{
		"with mail":    {oxtest.HTTPOptions{}, "Mia Muster|mia@school17.example|<nil>|<nil>|<nil>"},
		"without mail": {oxtest.HTTPOptions{HideMail: true}, "Mia Muster|<nil>|<nil>|<nil>|<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := school(t, oxtest.WithHTTP(&tc.opts))
			mia, tim := as(t, s, "mia"), as(t, s, "tim")
			for _, call := range [][]string{{"user list", fmt.Sprintf("[%d]", mia.uid)},
				{"contacts listuser", fmt.Sprintf("[%d]", mia.uid)}} {
				row := tim.ok(call[0], call[1], "columns=500,555,542,519,610").rows()[0]
				got := fmt.Sprintf("%v|%v|%v|%v|%v", row...)
				if got != tc.want {
					t.Errorf("%s of another: %s", call[0], got)
				}
			}
			if row := tim.ok("user list", fmt.Sprintf("[%d]", tim.uid),
				"columns=500,555,615").rows()[0]; row[1] != "tim@school17.example" || row[2] != "tim" {
				t.Errorf("oneself: %v", row)
			}
			m := tim.ok("contacts getuser", fmt.Sprintf("id=%d", mia.uid))["data"].(map[string]any)
			if m["telephone_business1"] != nil || m["display_name"] != "Mia Muster" {
				t.Errorf("getuser: %v", m)
			}
			m = mia.ok("user get", fmt.Sprintf("id=%d", tim.uid))["data"].(map[string]any)
			if m["login_info"] != "tim" {
				t.Errorf("a teacher's view: %v", m)
			}
		})
	}
}

func TestHTTPGlobalMode(t *testing.T) {
	t.Parallel()
	s := oxtest.New()
	t.Cleanup(func() { s.Close() })
	if err := s.State().AddContext(oxtest.Context{ID: 17, Name: "school17", Access: "all",
		GABMode: "global"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.State().AddUser(17, oxtest.User{Name: "tim", Access: "pim"}); err != nil {
		t.Fatal(err)
	}
	b := as(t, s, "tim")
	if n := len(b.ok("contacts all", "folder=6", "columns=1").rows()); n != 2 || !b.has("gab") {
		t.Errorf("in mode global the switch of the user does nothing; %d rows", n)
	}
	if got := b.bits("6"); got != "g0:16641 u2:268452097" {
		t.Errorf("permissions %s", got)
	}
}

func TestHTTPGroupSearch(t *testing.T) {
	t.Parallel()
	s := school(t)
	u, _ := s.State().User(17, "tim")
	if _, err := s.State().AddGroup(17, oxtest.Group{Name: "7b", Members: []schoolmail.UserID{u.ID}}); err != nil {
		t.Fatal(err)
	}
	mia, tim := as(t, s, "mia"), as(t, s, "tim")
	if n := len(tim.ok("group search", `{"pattern":"*"}`)["data"].([]any)); n != 0 {
		t.Errorf("search by who may not share: %d", n)
	}
	if n := len(mia.ok("group search", `{"pattern":"*"}`)["data"].([]any)); n != 2 {
		t.Errorf("search: %d", n)
	}
	rows := tim.ok("group all", "columns=1,700,702").rows()
	if len(rows) != 2 || rows[0][0] != 0.0 || rows[1][1] != "7b" || rows[1][2] != fmt.Sprintf("[%d]", u.ID) {
		t.Errorf("all: %v", rows)
	}
}

func TestCardDAV(t *testing.T) {
	t.Parallel()
	s := school(t)
	as(t, s, "books").folder("Class")
	ask := func(path, user, password string) (int, string) {
		req, err := http.NewRequest("PROPFIND", "http://ox.example"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, password)
		b := newBrowser(t, s)
		resp, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body strings.Builder
		if err := resp.Write(&body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body.String()
	}
	for _, tc := range []struct {
		path, user, password string
		want                 int
	}{
		{"/carddav/6/", "mia@17", "secret", 207},
		{"/servlet/dav/carddav/6/", "mia@17", "secret", 207},
		{"/carddav/6/", "tim@17", "secret", 404},
		{"/carddav/6/", "tim@17", "wrong", 401},
		{"/carddav/", "tim@17", "secret", 207},
	} {
		if got, _ := ask(tc.path, tc.user, tc.password); got != tc.want {
			t.Errorf("%s as %s: %d, want %d", tc.path, tc.user, got, tc.want)
		}
	}
	if _, body := ask("/carddav/", "tim@17", "secret"); strings.Contains(body, "/carddav/6/") ||
		!strings.Contains(body, "Class") {
		t.Errorf("a pupil's root listing: %s", body)
	}
}
