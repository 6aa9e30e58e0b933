package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// playground is a district after its first night, its district file, and somebody who
// enters pupils by hand.
type playground struct {
	*entry
	dir, file string
	ldap      *ucs.Client
	url       string
	bindDN    string
	password  schoolmail.Secret
}

// onBoth runs a test with the notifier of the simulator, and with slapd, which is
// polled.
func onBoth(t *testing.T, f func(t *testing.T, p *playground)) {
	t.Parallel()
	t.Run("notifier", func(t *testing.T) {
		t.Parallel()
		f(t, start(t, nil))
	})
	t.Run("slapd", func(t *testing.T) {
		t.Parallel()
		f(t, start(t, slapd.Start(t, nil)))
	})
}

func start(t *testing.T, real *slapd.Server) *playground {
	t.Helper()
	sb, err := sitetest.Start(sitetest.WithPeople(40))
	if err == nil {
		t.Cleanup(func() { sb.Close() })
		err = sb.CreateContexts()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &playground{dir: t.TempDir(), url: sb.LDAP.URL, bindDN: sb.LDAP.BindDN, password: sb.LDAP.Password}
	p.file = filepath.Join(p.dir, "district.toml")
	if err := sb.WriteDir(p.dir); err != nil {
		t.Fatal(err)
	}
	if real != nil {
		model := ucstest.New(ucstest.WithMailDomains("lernende.example"))
		for _, s := range sb.District.Schools() {
			if err := model.SeedSchools(s.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := real.Load(model.Entries()); err != nil {
			t.Fatal(err)
		}
		p.url, p.bindDN, p.password = real.URL, real.BindDN, real.Password
	}
	p.configure(t, func(c *district.Config) {
		c.Directory.URL, c.Directory.BindDN, c.Directory.Password = p.url, p.bindDN, p.password
		c.Watch = district.WatchSection{IntervalSeconds: 1, SettleSeconds: 1,
			Adopt: []schoolmail.Role{schoolmail.RolePupil}}
	})
	if real != nil { // the mail server knows the directory of the sandbox only
		plan := p.plan(t, sb.District.Today(), false)
		var users []dovecottest.User
		for _, s := range plan.Steps {
			if c, ok := s.Action.(schoolmail.CreateAccount); ok {
				users = append(users, dovecottest.User{Name: c.Account.Mail})
			}
		}
		for n := range 4 {
			users = append(users, dovecottest.User{Name: fmt.Sprintf("neu.eintritt%d@lernende.example", n+1)})
		}
		sb.Dovecot.SetUsers(users...)
	}
	if plan := p.plan(t, sb.District.Today(), true); len(plan.Steps) < 40 {
		t.Fatalf("the first night has %d steps", len(plan.Steps))
	}
	p.ldap = must(ucs.New(p.url, &ucs.Options{BindDN: p.bindDN, Password: p.password, Plaintext: true}))(t)
	t.Cleanup(func() { p.ldap.Close() })
	pop := &sitetest.Populated{Sandbox: sb}
	for a, err := range p.ldap.Accounts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		pop.Accounts = append(pop.Accounts, a)
	}
	p.entry = must(startEntry(pop))(t)
	t.Cleanup(p.entry.close)
	if real != nil {
		p.sim.Close()
		p.sim = must(ucstest.StartUDM(p.url, p.bindDN, p.password))(t)
		p.client = must(udm.New(p.sim.URL, p.sim.User, p.sim.Password, nil))(t)
	} else {
		p.configure(t, func(c *district.Config) { c.Watch.Notifier = p.notifier.Addr })
	}
	return p
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// configure changes the district file.
func (p *playground) configure(t *testing.T, change func(*district.Config)) {
	t.Helper()
	c := must(district.Load(p.file, nil))(t)
	change(c)
	if err := district.WriteFile(p.file, c); err != nil {
		t.Fatal(err)
	}
}

// plan plans as the night's run does, and applies it if asked to.
func (p *playground) plan(t *testing.T, day schoolmail.Date, apply bool) *schoolmail.Plan {
	t.Helper()
	set, _, err := site.Load(p.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	set.PlanOnly = !apply
	s := must(site.Open(set, nil))(t)
	defer s.Close()
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: apply})
	if err != nil || acts[0].Err != nil {
		t.Fatal(err, acts)
	}
	return acts[0].Plan
}

// watch starts the program; the end ends it and returns its status.
func (p *playground) watch(t *testing.T, flags ...string) (out *log, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = &log{changed: make(chan struct{}, 1)}
	var status int
	var done sync.WaitGroup
	args := append([]string{"-config", p.file, "-now", p.sb.District.Today().String()}, flags...)
	done.Go(func() { status = Main(ctx, args, out, out) })
	end = sync.OnceValue(func() int {
		cancel()
		done.Wait()
		return status
	})
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Logf("watch said:\n%s", out)
		}
	})
	return out, end
}

// log is what the program says.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait waits until a word was said.
func (l *log) wait(t *testing.T, word string) {
	t.Helper()
	for !strings.Contains(l.String(), word) {
		select {
		case <-l.changed:
		case <-t.Context().Done():
			t.Fatalf("never said %q:\n%s", word, l)
		}
	}
}

// enterByHand enters a pupil.
func (p *playground) enterByHand(t *testing.T, n int) udm.User {
	t.Helper()
	u := p.pupil(n)
	_, err := p.client.Create(t.Context(), udm.Users,
		u.Object("cn=schueler,cn=users,ou="+string(p.school)+","+p.sb.LDAP.BaseDN))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// complete waits until a pupil has everything.
func (p *playground) complete(t *testing.T, u udm.User) {
	t.Helper()
	for !p.placed(u) || !p.hasMailbox(u) || !p.inBook(u) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("place %v, mailbox %v, book %v", p.placed(u), p.hasMailbox(u), p.inBook(u))
		}
	}
}

func (p *playground) account(t *testing.T, name string) schoolmail.Account {
	t.Helper()
	return must(p.ldap.Account(t.Context(), name))(t)
}

// A pupil entered by hand gets a place, a mailbox and stands in the class book. The
// night's run has nothing to add and takes nobody for gone. What happens while nobody
// watches is done after the next start.
func TestEnteredByHand(t *testing.T) {
	onBoth(t, func(t *testing.T, p *playground) {
		out, end := p.watch(t, "-apply")
		out.wait(t, "everybody is looked at, nothing to do")
		u := p.enterByHand(t, 1)
		p.complete(t, u)
		a := p.account(t, u.Username)
		if a.Key != site.ByHand("escada", u.Username) || a.State != schoolmail.Active || a.Context == 0 {
			t.Errorf("account %+v", a)
		}
		if strings.Contains(out.String(), u.Username) {
			t.Error("the log names people")
		}
		if status := end(); status != 0 {
			t.Errorf("interrupted: status %d", status)
		}
		if plan := p.plan(t, p.sb.District.Today(), false); !plan.Empty() || len(plan.Held) > 0 {
			t.Errorf("the night's run:\n%s", plan.Summary())
		}
		away := p.enterByHand(t, 2)
		out, end = p.watch(t, "-apply")
		p.complete(t, away)
		if status := end(); status != 0 {
			t.Errorf("the second time: status %d", status)
		}
		if p.notifier != nil && p.url == p.sb.LDAP.URL && strings.Contains(out.String(), "everybody") {
			t.Error("with a position of the notifier everybody was looked at")
		}
	})
}

// Without adopt nobody is adopted, and without -apply nothing is written at all.
func TestToldOnly(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	u := p.enterByHand(t, 1)
	before := p.account(t, u.Username)
	out, end := p.watch(t)
	out.wait(t, "1 entered by hand to adopt, nothing to do")
	end()
	if _, err := os.Stat(filepath.Join(p.dir, "state", "watch.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dry run keeps its position: %v", err)
	}
	p.configure(t, func(c *district.Config) { c.Watch.Adopt = []schoolmail.Role{schoolmail.RoleTeacher} })
	out, end = p.watch(t, "-apply")
	out.wait(t, "1 without a record id: left alone, see adopt in [watch]")
	end()
	if a := p.account(t, u.Username); a.Key != before.Key || p.placed(u) {
		t.Errorf("left alone: %+v", a)
	}
}

// Many at once are no secretary's work: nobody is adopted, and the status says so.
func TestAdoptLimit(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	p.configure(t, func(c *district.Config) { c.Watch.AdoptLimit = 1 })
	for n := range 2 {
		p.enterByHand(t, n+1)
	}
	out, end := p.once(t)
	if end != 3 || !strings.Contains(out, "2 entered by hand, more than adopt_limit = 1") {
		t.Errorf("status %d: %s", end, out)
	}
	p.configure(t, func(c *district.Config) { c.Watch.AdoptLimit = 2 })
	if out, end := p.once(t); end != 0 || !strings.Contains(out, "2 entered by hand adopted, 2 x change") {
		t.Errorf("status %d: %s", end, out)
	}
}

func (p *playground) once(t *testing.T) (string, int) {
	t.Helper()
	var out bytes.Buffer
	status := Main(t.Context(), []string{"-config", p.file, "-now", p.sb.District.Today().String(), "-apply", "-once"},
		&out, &out)
	return out.String(), status
}

// The limits of the night hold for changes, too: when all pupils of a school get
// other names by hand, they are not written back at once, but held.
func TestGuarded(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	out, _ := p.watch(t, "-apply")
	out.wait(t, "everybody is looked at, nothing to do")
	conn := must(ldap.DialURL(p.url))(t)
	defer conn.Close()
	if err := conn.Bind(p.bindDN, p.password.Reveal()); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.sb.Accounts {
		req := ldap.NewModifyRequest(a.DN, nil)
		req.Replace("sn", []string{"Anders"})
		if err := conn.Modify(req); err != nil {
			t.Fatal(err)
		}
	}
	out.wait(t, "held back: ")
	for _, a := range p.sb.Accounts {
		if now := p.account(t, a.Username); now.FamilyName != "Anders" {
			t.Errorf("%s was written back", a.Username)
		}
	}
}

// Who holds the district is waited for.
func TestUnderTheLease(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	out, _ := p.watch(t, "-apply")
	out.wait(t, "everybody is looked at, nothing to do")
	const holder = `{"program":"provision","host":"ox9","process":4711,"start":"2026-08-10T02:00:00Z","nonce":"n",`
	const other, later = holder + `"counter":1}`, holder + `"counter":2}`
	given := must(p.ldap.Note(t.Context(), "run"))(t) // back by the first run
	if ok, err := p.ldap.SwapNote(t.Context(), "run", given, other); err != nil || !ok {
		t.Fatal(ok, err)
	}
	u := p.enterByHand(t, 1)
	next := [2]string{later, other}
	for held := other; !strings.Contains(out.String(), "another run is under way: provision on ox9"); {
		if ok, err := p.ldap.SwapNote(t.Context(), "run", held, next[0]); err != nil || !ok { // it lives
			t.Fatal(ok, err)
		}
		held, next[0], next[1] = next[0], next[1], next[0]
		select {
		case <-time.After(500 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("never said who holds the district")
		}
	}
	if p.placed(u) {
		t.Error("somebody was placed beside another run")
	}
	text := must(p.ldap.Note(t.Context(), "run"))(t)
	if ok, err := p.ldap.SwapNote(t.Context(), "run", text, ""); err != nil || !ok {
		t.Fatal(ok, err)
	}
	p.complete(t, u)
}

// What went wrong with single people is tried again without another change.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	u := p.enterByHand(t, 1)
	mend := p.sb.Dovecot.Inject(dovecottest.Fault{User: u.MailPrimaryAddress, Times: -1, ExitCode: 75})
	out, _ := p.watch(t, "-apply")
	out.wait(t, "1 not done, see ")
	mend()
	p.complete(t, u)
}

// A server that does not do what is needed is noticed before anything is done for
// anybody, and all is done when it does.
func TestServersAreAskedFirst(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	mend := p.sb.Dovecot.Inject(dovecottest.Fault{Times: -1, ExitCode: 75})
	u := p.enterByHand(t, 1)
	out, _ := p.watch(t, "-apply")
	out.wait(t, "nothing was done, since servers lack what the plan needs")
	if p.placed(u) {
		t.Error("somebody was placed before the servers were asked")
	}
	mend()
	p.complete(t, u)
}
