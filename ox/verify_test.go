package ox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// proved is a district in which mia has two contacts in context 10, with what reads
// her contents and what was said of her copy.
func proved(t *testing.T, readable bool) (srv *oxtest.Instance, g *ox.Groupware, api *appsuite.Client,
	mine func(int) appsuite.Credentials, said *[]ox.Verification) {
	t.Helper()
	srv, c := start(t, nil)
	addContexts(t, srv, 10, 20)
	api, err := appsuite.New(srv.HTTPURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	mine = func(context int) appsuite.Credentials {
		return appsuite.Credentials{Name: fmt.Sprintf("mia.lind@school%d", context), Password: "mia's own"}
	}
	said = &[]ox.Verification{}
	reader := &appsuite.ContentReader{Client: api, Credentials: func(p schoolmail.Place) (appsuite.Credentials, error) {
		if !readable {
			return appsuite.Credentials{}, errors.New("no way is granted")
		}
		return mine(int(p.Context)), nil
	}}
	g = ox.NewGroupware(c, map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin}, &ox.GroupwareOptions{
		Contents: reader,
		Observer: ox.ObserverFunc(func(e ox.Event) {
			if e.Reason == ox.Compared {
				*said = append(*said, *e.Verification)
			}
		}),
		NewPassword: func(string) (schoolmail.Secret, error) { return "mia's own", nil }})
	if _, err := g.EnsureUser(t.Context(), 10, mia()); err != nil {
		t.Fatal(err)
	}
	s, err := api.Login(t.Context(), mine(10))
	if err != nil {
		t.Fatal(err)
	}
	folder := privateFolder(t, s)
	for _, name := range []string{"Grossmutter", "Zahnarzt"} {
		entry := appsuite.CreateContact{Folder: folder, Fields: appsuite.Fields{appsuite.DisplayName: name,
			appsuite.FamilyName: name}}
		if _, _, err := s.CreateContact(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	return srv, g, api, mine, said
}

// privateFolder is the user's own folder of contacts.
func privateFolder(t *testing.T, s *appsuite.Session) appsuite.FolderID {
	t.Helper()
	for f, err := range s.VisibleFolders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == appsuite.PrivateType && f.Standard {
			return f.ID
		}
	}
	t.Fatal("no private folder")
	return ""
}

// TestCopyIsProved: what the user owns is compared on both sides, and what a copy
// does not carry is told.
func TestCopyIsProved(t *testing.T) {
	t.Parallel()
	_, g, api, mine, said := proved(t, true)
	cc := g.Client().Context(10, admin)
	from, err := g.User(t.Context(), 10, "mia.lind")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cc.Groups.Create(t.Context(), ox.Group{Name: "7b", DisplayName: "7b",
		Members: []schoolmail.UserID{from.UserID}}); err != nil {
		t.Fatal(err)
	}
	to, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, mia())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.VerifyCopy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	v := (*said)[0]
	if v.Compared["contacts"] != "2" || v.Compared["digest of contacts"] == "" ||
		!slices.Contains(v.Lost, "membership in group 7b") ||
		!slices.Contains(v.Lost, "settings of the web interface") {
		t.Errorf("%+v", v)
	}
	// A copy that lacks something, or has something else, is not complete.
	s, err := api.Login(t.Context(), mine(20))
	if err != nil {
		t.Fatal(err)
	}
	var entries []appsuite.Contact
	for c, err := range s.Contacts(t.Context(), privateFolder(t, s), appsuite.DisplayName) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, c)
	}
	if _, err := s.UpdateContact(t.Context(), appsuite.UpdateContact{Folder: entries[0].Folder, ID: entries[0].ID,
		Timestamp: entries[0].Modified,
		Fields:    appsuite.Fields{appsuite.DisplayName: "Jemand"}}); err != nil {
		t.Fatal(err)
	}
	if err := g.VerifyCopy(t.Context(), from, to); !errors.Is(err, ox.ErrCopyDiffers) ||
		!strings.Contains(err.Error(), "digest of contacts") {
		t.Errorf("another name: %v", err)
	}
	results, err := s.Write(t.Context(), []appsuite.Op{appsuite.DeleteContact{Folder: entries[1].Folder,
		ID: entries[1].ID, Timestamp: appsuite.Unconditional}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if err := g.VerifyCopy(t.Context(), from, to); !errors.Is(err, ox.ErrCopyDiffers) ||
		!strings.Contains(err.Error(), "contacts: 2 in the source, 1 in the copy") {
		t.Errorf("one less: %v", err)
	}
	if len(*said) != 1 {
		t.Errorf("%d copies were called complete", len(*said))
	}
}

// TestEveryModuleIsProved: appointments, tasks and files are counted and summed up on
// both sides; what differs holds the switch, and a module that the user may not use in
// the copy is said not to be verified.
func TestEveryModuleIsProved(t *testing.T) {
	t.Parallel()
	srv, g, _, _, said := proved(t, true)
	all := mia()
	all.Access = "groupware_standard"
	from, err := g.User(t.Context(), 10, "mia.lind")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.EnsureUser(t.Context(), 10, all); err != nil {
		t.Fatal(err)
	}
	data := oxtest.PersonalData{Appointments: []string{"trip", "concert"}, Tasks: []string{"essay"},
		Files: []string{"essay.odt", "photo.jpg", "list.ods"}}
	if err := srv.State().SetData(10, "mia.lind", data); err != nil {
		t.Fatal(err)
	}
	to, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, all)
	if err != nil {
		t.Fatal(err)
	}
	before := len(srv.HTTPCalls())
	if err := g.VerifyCopy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	requests := 0
	for _, c := range srv.HTTPCalls()[before:] {
		if !c.Multiple {
			requests++
		}
	}
	if requests != 8 { // log-in, two of many items, log-out, on both sides
		t.Errorf("%d requests", requests)
	}
	v := (*said)[0]
	for what, want := range map[string]string{"contacts": "2", "appointments": "2", "tasks": "1", "files": "3",
		"folders of files": "1"} {
		if v.Compared[what] != want || v.NotVerified != "" {
			t.Errorf("%s: %q, want %s; not verified: %q", what, v.Compared[what], want, v.NotVerified)
		}
	}
	for what, lose := range map[string]func(*oxtest.PersonalData){
		"appointments: 2 in the source, 1 in the copy": func(p *oxtest.PersonalData) { p.Appointments = p.Appointments[:1] },
		"tasks: 1 in the source, 0 in the copy":        func(p *oxtest.PersonalData) { p.Tasks = nil },
		"files: 3 in the source, 2 in the copy":        func(p *oxtest.PersonalData) { p.Files = p.Files[1:] },
		"digest of files": func(p *oxtest.PersonalData) {
			p.Files = []string{"essay.odt", "photo.jpg", "list.odt"}
		},
	} {
		less := data
		lose(&less)
		if err := srv.State().SetData(20, "mia.lind", less); err != nil {
			t.Fatal(err)
		}
		if err := g.VerifyCopy(t.Context(), from, to); !errors.Is(err, ox.ErrCopyDiffers) ||
			!strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := srv.State().SetData(20, "mia.lind", data); err != nil {
		t.Fatal(err)
	}
	all.Access = "webmail"
	if _, err := g.EnsureUser(t.Context(), 20, all); err != nil {
		t.Fatal(err)
	}
	if err := g.VerifyCopy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	v = (*said)[1]
	if v.Compared["files"] != "" || v.Compared["contacts"] != "2" ||
		!strings.Contains(v.NotVerified, "in the copy files: the user may not use the module") {
		t.Errorf("copy without the module: %+v", v)
	}
}

// TestCopyThatCannotBeRead: without a way to look at the source the verification
// says so; a copy that cannot be read while its source can is not complete.
func TestCopyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, g, _, _, said := proved(t, false)
	from, err := g.User(t.Context(), 10, "mia.lind")
	if err != nil {
		t.Fatal(err)
	}
	to, err := g.CopyUser(t.Context(), "mia.lind", 10, 20, mia())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.VerifyCopy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	if v := (*said)[0]; len(v.Compared) > 0 || !strings.Contains(v.NotVerified, "contents cannot be read") {
		t.Errorf("%+v", v)
	}
	_, g, _, _, said = proved(t, true)
	if from, err = g.User(t.Context(), 10, "mia.lind"); err != nil {
		t.Fatal(err)
	}
	if to, err = g.CopyUser(t.Context(), "mia.lind", 10, 20, mia()); err != nil {
		t.Fatal(err)
	}
	if err := g.CloseCopy(t.Context(), to, false); err != nil {
		t.Fatal(err)
	}
	if err := g.VerifyCopy(t.Context(), from, to); !errors.Is(err, ox.ErrReader) || len(*said) != 0 {
		t.Errorf("%v, said %v", err, *said)
	}
}

// TestClosedCopy: mail off and no log-in, and both back when the transfer is taken
// back, with the password that was there.
func TestClosedCopy(t *testing.T) {
	t.Parallel()
	_, g, api, mine, _ := proved(t, true)
	p, err := g.User(t.Context(), 10, "mia.lind")
	if err != nil {
		t.Fatal(err)
	}
	logsIn := func() bool {
		s, err := api.Login(t.Context(), mine(10))
		if err != nil {
			return false
		}
		return s.Logout(t.Context()) == nil
	}
	for range 2 { // again is no harm
		if err := g.CloseCopy(t.Context(), p, false); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := g.User(t.Context(), 10, "mia.lind"); err != nil || now.MailEnabled || logsIn() {
		t.Errorf("%+v, %v", now, err)
	}
	if err := g.CloseCopy(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	api, err = appsuite.New(strings.TrimSuffix(apiURL(t, g), "/webservices")+"/ajax/",
		nil) // a client that remembers no refusal
	if err != nil {
		t.Fatal(err)
	}
	if now, err := g.User(t.Context(), 10, "mia.lind"); err != nil || !now.MailEnabled || !logsIn() {
		t.Errorf("%+v, %v", now, err)
	}
	other := p
	other.Username = "somebody"
	if err := g.CloseCopy(t.Context(), other, false); !errors.Is(err, ox.ErrNotTheSame) {
		t.Errorf("somebody else under the id: %v", err)
	}
	p.UserID = 4711
	if err := g.CloseCopy(t.Context(), p, false); err != nil {
		t.Errorf("gone: %v", err)
	}
}

// apiURL is where the client's server is.
func apiURL(t *testing.T, g *ox.Groupware) string {
	t.Helper()
	return g.Client().Stats().Servers[0].Endpoint
}

func TestCanCopy(t *testing.T) {
	t.Parallel()
	for want, opts := range map[bool][]oxtest.Option{true: nil, false: {oxtest.WithoutUserCopy()}} {
		_, g := district(t, opts...)
		if can, err := g.CanCopy(t.Context()); err != nil || can != want {
			t.Errorf("%v, %v, want %v", can, err, want)
		}
	}
}
