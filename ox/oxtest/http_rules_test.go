package oxtest_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// provisioner is the master administrator over SOAP.
func provisioner(t *testing.T, s *oxtest.Server) *ox.Client {
	t.Helper()
	c, err := ox.New([]string{"http://ox.example/webservices"}, ox.Credentials{Login: "oxadminmaster",
		Password: "secret"}, &ox.Options{HTTPClient: s.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Rules that protect what others made, and modules that are switched off.
func TestHTTPFolderDeletionIsGuarded(t *testing.T) {
	t.Parallel()
	s := school(t)
	books, mia := as(t, s, "books"), as(t, s, "mia")
	own := perm(books.uid, false, ownerBits)

	// Mia may write in it, and the owner may delete only what is its own.
	f := books.ok("folders new", "folder_id=2", newFolder("Mixed", perms(own, perm(mia.uid, false, 4227330)))).id()
	mia.contact(f, `"display_name":"Mine"`)
	books.ok("folders update", "id="+f, `{"folder":{"permissions":`+perms(perm(books.uid, false, 270549121),
		perm(mia.uid, false, 4227330))+`}}`)
	o := books.call("folders delete", "["+f+"]")
	if o.code() != "FLD-0032" || fmt.Sprint(o["data"]) != "["+f+"]" {
		t.Errorf("folder with foreign objects: %v", o)
	}
	books.want("FLD-0032", "folders delete", "failOnError=true", "["+f+"]")

	// A subfolder that the owner of the parent cannot see.
	p := books.ok("folders new", "folder_id=2", newFolder("Parent", perms(own, perm(mia.uid, false, 4)))).id()
	hidden := mia.ok("folders new", "folder_id="+p, newFolder("Hidden", perms(perm(mia.uid, false, ownerBits)))).id()
	books.want("FLD-0074", "folders delete", "failOnError=true", "["+p+"]")
	mia.ok("folders delete", "["+hidden+"]")
	if o := books.ok("folders delete", "["+p+"]"); len(o["data"].([]any)) != 0 {
		t.Errorf("the rest: %v", o)
	}
	books.want("FLD-0078", "folders update", "id="+f, `{"folder":{"module":"calendar"}}`)
	books.want("CON-0168", "contacts new", `{"folder_id":"`+f+`","display_name":"a\u0000b"}`)
}

func TestHTTPWithoutModules(t *testing.T) {
	t.Parallel()
	s := school(t)
	admin := provisioner(t, s).Context(17, ox.Credentials{Login: "oxadmin", Password: "secret"})
	setAccess := func(name string, change func(ox.Access) ox.Access) {
		t.Helper()
		ref := ox.UserRef{Name: name}
		have, err := admin.Users.Access(t.Context(), ref)
		if err == nil {
			err = admin.Users.SetAccess(t.Context(), ref, change(have))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bare", "editor"} {
		if _, err := s.State().AddUser(17, oxtest.User{Name: name, Access: "groupware_standard"}); err != nil {
			t.Fatal(err)
		}
	}
	setAccess("bare", func(ox.Access) ox.Access { return ox.AccessWebmail | ox.AccessGlobalAddressBookDisabled })
	books, bare, editor := as(t, s, "books"), as(t, s, "bare"), as(t, s, "editor")
	f := books.folder("Class")
	bare.want("FLD-0002", "contacts all", "folder="+f, "columns=1")
	bare.want("FLD-0002", "contacts search", "columns=1", `{"pattern":"*"}`)
	if _, body := bare.upload("import", f, "Given name,Sur name\nA,B\n",
		"force_json_response=true"); bare.parse([]byte(body)).code() != "I_E-0607" {
		t.Errorf("import without the module: %s", body)
	}
	// Who loses the right to edit public folders keeps the folders, but cannot
	// change them any more.
	mine := editor.folder("Mine")
	setAccess("editor", func(a ox.Access) ox.Access { return a.Without(ox.AccessEditPublicFolders) })
	editor.want("FLD-0005", "folders update", "id="+mine, `{"folder":{"title":"Other"}}`)
}

func TestHTTPSessionEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "mia")
	b.ok("user/me")
	if err := provisioner(t, s).Contexts.Disable(t.Context(), 17); err != nil {
		t.Fatal(err)
	}
	b.want("SES-0204", "user/me")
	b.want("SES-0203", "user/me")
	if got := newBrowser(t, s).login("mia@17", "secret").code(); got != "AUTHORIZATION-0001" {
		t.Errorf("login: %q", got)
	}
}

func TestHTTPAuthIDCountsOnce(t *testing.T) {
	t.Parallel()
	s := school(t)
	login := func() string {
		form := url.Values{"name": {"mia@17"}, "password": {"secret"}, "client": {"tests"}}
		b := newBrowser(t, s)
		_, _, body := b.do("POST", "login", url.Values{"action": {"login"}, "authId": {"once"}},
			"application/x-www-form-urlencoded", []byte(form.Encode()))
		return b.parse(body).code()
	}
	if first, second := login(), login(); first != "" || second != "SES-0008" {
		t.Errorf("%q, %q", first, second)
	}
}

func TestHTTPImportRefusals(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "books")
	f := b.folder("Class")
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for range 2 {
		part, err := w.CreateFormFile("file", "x.csv")
		if err != nil {
			t.Fatal(err)
		}
		part.Write([]byte("Given name,Sur name\nA,B\n"))
	}
	w.Close()
	params := url.Values{"action": {"CSV"}, "session": {b.session}, "folder": {f}, "plainJson": {"true"}}
	if _, _, body := b.do("POST", "import", params, w.FormDataContentType(),
		form.Bytes()); b.parse(body).code() != "I_E-1300" {
		t.Errorf("two files: %s", body)
	}
	_, body := b.upload("import", f, "Given name,Department\n,\n,x\nAnna,y\n", "plainJson=true")
	var codes []string
	for _, r := range b.parse([]byte(body))["data"].([]any) {
		code, _ := r.(map[string]any)["code"].(string)
		codes = append(codes, code)
	}
	if got := strings.Join(codes, " "); got != "I_E-0805 I_E-0808 " {
		t.Errorf("rows %q", got)
	}
}

// Under a limit, lines count and not rows: a line break within a cell cuts the
// last row that is read.
func TestHTTPImportLimitCountsLines(t *testing.T) {
	t.Parallel()
	b := as(t, school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{ImportLimit: 2})), "books")
	f := b.folder("Class")
	_, body := b.upload("import", f, "Given name,Note,Department\nA,\"1\n2\",x\nB,\"1\n2\",y\nC,,z\n", "plainJson=true")
	if n := len(b.parse([]byte(body))["data"].([]any)); n != 2 {
		t.Fatalf("%d rows answered", n)
	}
	rows := b.ok("contacts all", "folder="+f, "columns=501,519", "sort=1", "order=asc").rows()
	if got := fmt.Sprint(rows); got != "[[A x] [B <nil>]]" {
		t.Errorf("got %s", got)
	}
}
