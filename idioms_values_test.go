package schoolmail_test

import (
	"context"
	"errors"
	"go/ast"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/spool"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/galprobe"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/site/rehearse"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// TestKindsMeanWhatTheRootSays holds that whoever knows the root's two errors
// alone understands those of every package: what is named like something missing
// matches ErrNotFound, what is named like something there already ErrConflict.
func TestKindsMeanWhatTheRootSays(t *testing.T) {
	t.Parallel()
	missing, taken := schoolmail.ErrNotFound, schoolmail.ErrConflict
	table := []struct {
		dir, kind string
		err, want error
	}{
		{"addressbook", "ErrExists", addressbook.ErrExists, taken},
		{"addressbook", "ErrNobody", addressbook.ErrNobody, nil}, // nobody at all
		{"dovecot", "ErrNoUser", &dovecot.Error{Kind: dovecot.ErrNoUser}, missing},
		{"dovecot", "ErrNotFound", &dovecot.Error{Kind: dovecot.ErrNotFound}, missing},
		{"dovecot", "ErrExists", &dovecot.Error{Kind: dovecot.ErrExists}, taken},
		{"dovecot/migrate", "ErrNoMailbox", &migrate.Error{Kind: migrate.ErrNoMailbox}, missing},
		{"dovecot/migrate", "ErrBusy", &migrate.Error{Kind: migrate.ErrBusy}, taken},
		{"dovecot/migrate/spool", "ErrNoMailbox", &spool.Error{Kind: spool.ErrNoMailbox, Err: spool.ErrNoMailbox}, missing},
		{"dovecot/migrate/spool", "ErrBusy", &spool.Error{Kind: spool.ErrBusy, Err: spool.ErrBusy}, taken},
		{"escada", "ErrNoFiles", &escada.Error{Kind: escada.ErrNoFiles}, nil}, // nothing was asked for by name
		{"ox", "ErrNoSuchUser", &ox.Error{Kind: ox.ErrNoSuchUser}, missing},
		{"ox", "ErrNoSuchContext", &ox.Error{Kind: ox.ErrNoSuchContext}, missing},
		{"ox", "ErrNoSuchGroup", &ox.Error{Kind: ox.ErrNoSuchGroup}, missing},
		{"ox", "ErrNoSuchResource", &ox.Error{Kind: ox.ErrNoSuchResource}, missing},
		{"ox", "ErrNoSuchFilestore", &ox.Error{Kind: ox.ErrNoSuchFilestore}, missing},
		{"ox", "ErrNoSuchDatabase", &ox.Error{Kind: ox.ErrNoSuchDatabase}, missing},
		{"ox", "ErrNoSuchReason", &ox.Error{Kind: ox.ErrNoSuchReason}, missing},
		{"ox", "ErrNoSuchCombination", &ox.Error{Kind: ox.ErrNoSuchCombination}, missing},
		{"ox", "ErrNoService", &ox.Error{Kind: ox.ErrNoService}, nil}, // of the server, not of what was asked for
		{"ox", "ErrContextExists", &ox.Error{Kind: ox.ErrContextExists}, taken},
		{"ox", "ErrUserExists", &ox.Error{Kind: ox.ErrUserExists}, taken},
		{"ox", "ErrGroupExists", &ox.Error{Kind: ox.ErrGroupExists}, taken},
		{"ox", "ErrNotTheSame", &ox.Error{Kind: ox.ErrNotTheSame}, taken},
		{"ox", "ErrCopyDiffers", &ox.Error{Kind: ox.ErrCopyDiffers}, taken},
		{"ox", "ErrLockConflict", &ox.Error{Kind: ox.ErrLockConflict}, nil}, // passes by itself
		{"ox", "ErrCopyConflict", &ox.Error{Kind: ox.ErrCopyConflict}, nil}, // so does this
		{"ox", "ErrDuplicate", &ox.Error{Kind: ox.ErrDuplicate}, nil},       // of an extension in a request
		{"ox/appsuite", "ErrNotFound", &appsuite.Error{Kind: appsuite.ErrNotFound}, missing},
		{"ox/appsuite", "ErrConflict", &appsuite.Error{Kind: appsuite.ErrConflict}, taken},
		{"ox/appsuite", "ErrDuplicate", &appsuite.Error{Kind: appsuite.ErrDuplicate}, taken},
		{"site", "ErrNobody", site.ErrNobody, missing},
		{"site", "ErrNoAccount", site.ErrNoAccount, missing},
		{"ucs", "ErrNotFound", &ucs.Error{Kind: ucs.ErrNotFound}, missing},
		{"ucs", "ErrConflict", &ucs.Error{Kind: ucs.ErrConflict}, taken},
		{"ucs/udm", "ErrNotFound", &udm.Error{Kind: udm.ErrNotFound}, missing},
		{"ucs/udm", "ErrTaken", &udm.Error{Kind: udm.ErrTaken}, taken},
		{"ucs/udm", "ErrStale", &udm.Error{Kind: udm.ErrStale}, taken},
	}
	said := map[string]bool{}
	for _, row := range table {
		said[row.dir+"."+row.kind] = true
		for _, root := range []error{missing, taken} {
			if got := errors.Is(row.err, root); got != (root == row.want) {
				t.Errorf("%s.%s matches %q: %v", row.dir, row.kind, root, got)
			}
		}
	}
	speaks := regexp.MustCompile(
		`^Err(No(Such|User|Mailbox|Files|Service)|NotFound|Nobody|.*(Exists|Taken|Conflict|Duplicate)$)`)
	for _, s := range sources(t) {
		for _, kind := range s.kinds {
			if s.public() && speaks.MatchString(kind) && !said[s.dir+"."+kind] {
				t.Errorf("%s: does %s match schoolmail.ErrNotFound, ErrConflict or neither? Say so in this test", s.dir, kind)
			}
		}
	}
}

// TestSimulatorsEndTwice holds that Close may be called again, also on what never
// listened.
func TestSimulatorsEndTwice(t *testing.T) {
	t.Parallel()
	started := func(c io.Closer, err error) io.Closer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ldap, err := ucstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	oxServer, err := oxtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	sandbox, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]io.Closer{
		"ucstest, new": ucstest.New(), "ucstest": ldap,
		"notifier":    started(ucstest.StartNotifier(ldap)),
		"udm, new":    ucstest.NewUDM(ldap.URL, "cn=admin", ""),
		"udm":         started(ucstest.StartUDM(ldap.URL, "cn=admin", "")),
		"oxtest, new": oxtest.New(), "oxtest": oxServer, "sandbox": sandbox,
		"dovecottest, new": dovecottest.New(), "dovecottest": started(dovecottest.Start()),
	} {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestSimulatorsRun holds that Run hands on what its function says, and has ended
// everything by then.
func TestSimulatorsRun(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	for name, run := range map[string]func() error{
		"ucstest": func() error {
			return ucstest.Run(func(_ context.Context, s *ucstest.Server) error { return asked(s.URL, why) })
		},
		"oxtest": func() error {
			return oxtest.Run(func(_ context.Context, s *oxtest.Instance) error { return asked(s.SOAPURL, why) })
		},
		"dovecottest": func() error {
			return dovecottest.Run(func(_ context.Context, s *dovecottest.Server) error { return asked(s.IMAPAddr, why) })
		},
		"sitetest": func() error {
			return sitetest.Run(func(_ context.Context, s *sitetest.Sandbox) error { return asked(s.IMAPAddr(), why) },
				sitetest.WithPeople(20))
		},
	} {
		if err := run(); !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// asked says why if there is an address to ask at.
func asked(address string, why error) error {
	if address == "" {
		return errors.New("it listens nowhere")
	}
	return why
}

// TestNilOptions holds that nil does for the options of every function that takes
// some: it may say that something else is missing, and must not panic.
func TestNilOptions(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context()) // no server is asked
	cancel()
	dir := t.TempDir()
	doveadm, _ := dovecot.New("http://127.0.0.1:1/doveadm/v1", &dovecot.Options{APIKey: "x"})
	soap, _ := ox.New([]string{"http://127.0.0.1:1/webservices"}, ox.Credentials{}, nil)
	rest, _ := udm.New("http://127.0.0.1:1/univention/udm", "u", "p", nil)
	ldap, err := ucs.New("ldap://127.0.0.1:1", &ucs.Options{Plaintext: true})
	if err != nil {
		t.Fatal(err)
	}
	web, _ := appsuite.New("http://127.0.0.1:1", nil)
	mover := migrate.New(migrate.Server{}, migrate.Server{}, dir, nil)
	people := escadatest.NewDistrict(1, &escadatest.Options{People: 20})
	export, err := people.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	sandbox, err := sitetest.Start(sitetest.WithPeople(20))
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.Close()
	sandboxed, err := site.Open(sandbox.Settings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sandboxed.Close()
	table := map[string]func(){
		".Apply": func() {
			_, _ = schoolmail.Apply(over, &schoolmail.Plan{}, schoolmail.Ports{Journal: &journal.Memory{}},
				nil)
		},
		"addressbook.NewStore":      func() { _, _ = addressbook.NewStore(nil, nil) },
		"addressbook.ProviderFiles": func() { _, _, _ = addressbook.ProviderFiles(addressbook.DefaultRules(), nil, nil) },
		"addressbook.ReadCSV":       func() { _, _ = addressbook.ReadCSV(strings.NewReader("a"), nil) },
		"addressbook.WriteCSV":      func() { _ = addressbook.WriteCSV(io.Discard, nil, nil) },
		"addressbook.Sync": func() {
			_, _ = addressbook.Sync(over, addressbook.DefaultRules(), addressbook.Desired{}, nil, 0, nil)
		},
		"dovecot.New":                  func() { _, _ = dovecot.New("http://127.0.0.1:1", nil) },
		"dovecot.Client.Backup":        func() { _, _ = doveadm.Backup(over, "u", "d", nil) },
		"dovecot.Client.Sync":          func() { _, _ = doveadm.Sync(over, "u", "d", nil) },
		"dovecot.Client.CreateMailbox": func() { _ = doveadm.CreateMailbox(over, "u", "m", nil) },
		"dovecot.Client.DeleteMailbox": func() { _ = doveadm.DeleteMailbox(over, "u", "m", nil) },
		"dovecot.Client.Mailboxes":     func() { _, _ = doveadm.Mailboxes(over, "u", nil) },
		"dovecot/migrate.New":          func() { migrate.New(migrate.Server{}, migrate.Server{}, dir, nil) },
		"dovecot/migrate.Migrator.RunWave": func() {
			_, _ = mover.RunWave(over, &migrate.Wave{}, nil)
		},
		"dovecot/migrate.Migrator.Verify": func() { _, _ = mover.Verify(over, migrate.Account{}, nil) },
		"dovecot/migrate/spool.New":       func() { spool.New(spool.Source{}, dir, nil) },
		"escada.Describe":                 func() { _, _ = escada.Describe(over, nil, nil) },
		"escada.Read":                     func() { _, _ = escada.Read(over, fstest.MapFS{}, nil) },
		"escada.ReadDir":                  func() { _, _ = escada.ReadDir(over, dir, nil) },
		"escada.ReadFiles":                func() { _, _ = escada.ReadFiles(over, nil, nil) },
		"escada/escadatest.District.Export": func() {
			_, _ = people.Export(nil)
		},
		"escada/escadatest.NewDistrict": func() { escadatest.NewDistrict(1, nil) },
		"escada/escadatest.NewExport":   func() { _, _ = escadatest.NewExport(nil, nil) },
		"escada/escadatest.TryNasty":    func() { _, _ = escadatest.TryNasty(over, export, nil) },
		"ox.New": func() {
			_, _ = ox.New([]string{"http://127.0.0.1:1/webservices"},
				ox.Credentials{}, nil)
		},
		"ox.NewGroupware": func() { ox.NewGroupware(soap, nil, nil) },
		"ox.Client.CopyUser": func() {
			_, _ = soap.CopyUser(over, "u", soap.Context(1, ox.Credentials{}), soap.Context(2, ox.Credentials{}), nil)
		},
		"ox/appsuite.New": func() { _, _ = appsuite.New("http://127.0.0.1:1", nil) },
		"ox/galprobe.CheckAccess": func() {
			_, _ = galprobe.CheckAccess(over, 1,
				galprobe.OXAccess(soap.Context(1, ox.Credentials{})), nil)
		},
		"ox/galprobe.Run":          func() { _, _ = galprobe.Run(over, web, "x", nil, nil) },
		"ox/galprobe.WriteHAProxy": func() { _ = galprobe.WriteHAProxy(io.Discard, nil) },
		"ox/galprobe.WriteNginx":   func() { _ = galprobe.WriteNginx(io.Discard, nil) },
		"ox/oxtest.WithHTTP":       func() { _ = oxtest.New(oxtest.WithHTTP(nil)).Close() },
		"site.Site.Run":            func() { _, _ = sandboxed.Run(over, nil) },
		"site.Site.Adopt":          func() { _, _ = sandboxed.Adopt(over, "no-such-list.csv", nil) },
		"site.Site.NewPasswords":   func() { _, _ = sandboxed.NewPasswords(over, site.WhosePasswords{Who: "x"}, nil) },
		"site.Site.Rename":         func() { _, _ = sandboxed.Rename(over, "x", schoolmail.RenameRequest{}, nil) },
		"site/district.Load":       func() { _, _ = district.Load(dir+"/none", nil) },
		"site/journal.Open": func() {
			if j, err := journal.Open(dir+"/journal", nil); err == nil {
				_ = j.Close()
			}
		},
		"site/journal.ReadAll": func() {
			_ = journal.ReadAll(dir+"/none", func(schoolmail.JournalEntry) bool { return true }, nil)
		},
		"site/journal.OpenReader": func() { journal.OpenReader(dir+"/none", nil) },
		"site/lease.Acquire":      func() { _, _ = lease.Acquire(over, ldap, "test", nil) },
		"site/notify.New":         func() { _, _ = notify.New("127.0.0.1:1", "a@example.org", nil) },
		"site/rehearse.Run": func() {
			_, _ = rehearse.Run(over, &site.Settings{StateDir: dir + "/rehearsed"}, nil)
		},
		"ucs.Client.Watch": func() {
			for range ldap.Watch(over, nil) {
				break
			}
		},
		"ucs.New":              func() { _, _ = ucs.New("ldap://127.0.0.1:1", nil) },
		"ucs/udm.Client.Patch": func() { _, _ = rest.Patch(over, udm.Users, "cn=x", udm.Properties{}, nil) },
		"ucs/udm.New":          func() { _, _ = udm.New("http://127.0.0.1:1", "u", "p", nil) },
	}
	for name, call := range table {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s panics with nil options: %v", name, p)
				}
			}()
			call()
		}()
	}
	for _, s := range sources(t) {
		if _, err := os.Stat(filepath.Join(s.dir, "go.mod")); err == nil && s.dir != "." {
			continue // a module of its own, which this one cannot import, tries them itself
		}
		for name, f := range s.funcs {
			last := len(f.Type.Params.List) - 1
			if !s.public() || !ast.IsExported(f.Name.Name) || !ast.IsExported(name) || last < 0 {
				continue
			}
			if of := text(f.Type.Params.List[last].Type); !strings.HasPrefix(of, "*") || !strings.HasSuffix(of, "Options") {
				continue
			}
			if key := strings.TrimPrefix(s.dir+"."+name, "."); table[key] == nil {
				t.Errorf("%s: does nil do for its options? Try it in this test", key)
			}
		}
	}
}
