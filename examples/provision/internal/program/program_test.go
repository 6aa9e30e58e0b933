package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// The test binary is the program itself when this variable is set, so that the
// tests can kill it.
const asProgram = "SCHOOLMAIL_TEST_PROVISION"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(program.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// playground is a running sandbox with its folder.
type playground struct {
	*sitetest.Sandbox
	dir string
}

func start(t *testing.T, people int) *playground {
	t.Helper()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(people)))(t)
	s := &playground{sb, t.TempDir()}
	if err := sb.WriteDir(s.dir); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *playground) config() string { return filepath.Join(s.dir, "district.toml") }

// exported writes the export of a district.
func exported(t *testing.T, d *escadatest.District) escadatest.Export {
	t.Helper()
	e, err := d.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// deliver replaces the export.
func (s *playground) deliver(t *testing.T, e escadatest.Export) {
	t.Helper()
	dir := filepath.Join(s.dir, "export")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := e.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
}

// run runs the program in this process.
func (s *playground) run(t *testing.T, now schoolmail.Date, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"-config", s.config(), "-now", now.String()}, args...)
	if slices.Contains(args, "-apply") || slices.Contains(args, "-apply-plan") {
		args = append(args, "-any-day")
	}
	status = program.Main(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// look observes the servers as the program does, without what differs from run
// to run (ids in OX).
func (s *playground) look(t *testing.T) (accounts []schoolmail.Account, places []schoolmail.Place) {
	t.Helper()
	set := s.Settings()
	set.StateDir = t.TempDir()
	open, err := site.Open(set, &site.Parts{Reader: nothing{}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	w, err := open.Look(t.Context(), s.District.Today())
	if err != nil {
		t.Fatal(err)
	}
	accounts, places = w.State.Accounts, w.State.Places
	for i := range accounts {
		accounts[i].Previous.UserID = 0
	}
	for i := range places {
		places[i].UserID = 0
	}
	slices.SortFunc(places, func(a, b schoolmail.Place) int {
		if a.Context != b.Context {
			return int(a.Context - b.Context)
		}
		return strings.Compare(a.Username, b.Username)
	})
	return accounts, places
}

// nothing is an export that nobody has delivered yet.
type nothing struct{}

func (nothing) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	return schoolmail.Delivery{}, nil
}

// written counts the writes that the servers have seen, apart from who runs and
// what is locked.
func (s *playground) written() string {
	n := 0
	for _, c := range s.LDAP.Calls() {
		switch c.Op {
		case "add", "modify", "delete", "modifydn":
			if !strings.Contains(c.DN, "cn=schoolmail,cn=univention,") &&
				!strings.Contains(c.DN, "cn=temporary,cn=univention,") {
				n++
			}
		}
	}
	return fmt.Sprint("ldap ", n, " smtp ", s.SMTP.Count(), " mail ", s.Dovecot.Fingerprint())
}

// TestYear is examples/provision without flags: everything is done, and the
// reports are there.
func TestYear(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	if status := program.Main(t.Context(), []string{"-people", "150", "-out", out}, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d\n%s\n%s", status, stdout.String(), stderr.String())
	}
	for _, want := range []string{"Act 5", "accounts to create", "to transfer to another context", "leavers to notify",
		"accounts to deactivate",
		"have all their appointments, tasks and files", "Nothing to do."} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the output does not say %q:\n%s", want, stdout.String())
		}
	}
	for _, f := range []string{"report.html", "report.txt", "report.json", "plan-1.txt", "plan-5.json"} {
		if st, err := os.Stat(filepath.Join(out, f)); err != nil || st.Size() < 100 {
			t.Errorf("%s: %v", f, err)
		}
	}
	var rep struct {
		Acts []struct{ Steps []struct{ Planned, Done int } }
	}
	b, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil || json.Unmarshal(b, &rep) != nil || len(rep.Acts) != 5 {
		t.Errorf("report.json: %v, %d acts", err, len(rep.Acts))
	}
}

// TestPlanReviewApply is the way of a careful operator.
func TestPlanReviewApply(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	before := s.written()
	if status, out, errs := s.run(t, day); status != 0 || !strings.Contains(out, "60 accounts to create") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	file := filepath.Join(s.dir, "plan.json")
	if status, _, errs := s.run(t, day, "-plan", file); status != 0 {
		t.Fatal(errs)
	}
	if s.written() != before {
		t.Fatal("planning wrote something")
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("plan file: %v %v", st.Mode(), err)
	}
	// Somebody edits the plan.
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := filepath.Join(s.dir, "edited.json")
	if err := os.WriteFile(edited, bytes.Replace(b, []byte(`"given_name":"`), []byte(`"given_name":"X`), 1),
		0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := s.run(t, day, "-apply-plan", edited); status != 2 ||
		!strings.Contains(errs, "it was edited") {
		t.Errorf("an edited plan: status %d %s", status, errs)
	}
	// Somebody edits it and sees to it that the id fits again.
	plan, err := schoolmail.DecodePlan(b)
	if err != nil {
		t.Fatal(err)
	}
	plan.Steps[0].Reason = "because"
	plan.Header.ID = ""
	plan.Header.ID = plan.Fingerprint()
	if b, err = plan.Encode(); err == nil {
		err = os.WriteFile(edited, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, _, errs := s.run(t, day, "-apply-plan", edited); status != 2 ||
		!strings.Contains(errs, "not what planning gives") {
		t.Errorf("a plan edited with care: status %d %s", status, errs)
	}
	if status, _, errs := s.run(t, day.AddDays(1), "-apply-plan", file); status != 2 ||
		!strings.Contains(errs, "the plan is for") {
		t.Errorf("on another day: status %d %s", status, errs)
	}
	toml, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(text []byte) {
		if err := os.WriteFile(s.config(), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(bytes.Replace(toml, []byte("# purge_days = 180"), []byte("purge_days = 181"), 1))
	if status, _, errs := s.run(t, day, "-apply-plan", file); status != 2 ||
		!strings.Contains(errs, "the policy has changed") {
		t.Errorf("with another policy: status %d %s", status, errs)
	}
	rewrite(toml)
	if status, out, errs := s.run(t, day, "-apply-plan", file); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	after := s.written()
	if status, _, errs := s.run(t, day, "-apply-plan", file); status != 2 ||
		!strings.Contains(errs, "accounts, contexts or users have changed") {
		t.Errorf("a plan that was applied: status %d %s", status, errs)
	}
	if status, out, _ := s.run(t, day, "-apply"); status != 0 || !strings.Contains(out, "Nothing to do.") {
		t.Errorf("the second run: status %d %s", status, out)
	}
	if s.written() != after {
		t.Error("the second run wrote something")
	}
	s.deliver(t, exported(t, s.District.Day(1, 50)))
	if status, _, errs := s.run(t, day, "-apply-plan", file); status != 2 ||
		!strings.Contains(errs, "the export has changed") {
		t.Errorf("another export: status %d %s", status, errs)
	}
	// The initial passwords are in files that only the owner reads.
	lists, err := filepath.Glob(filepath.Join(s.dir, "state", "initial-passwords", "*.csv"))
	if err != nil || len(lists) == 0 {
		t.Fatal("no lists of initial passwords", err)
	}
	for _, l := range lists {
		if st, err := os.Stat(l); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", l, st.Mode(), err)
		}
	}
}

// TestUndo takes a change of the school year back: whoever was there before is
// as before, newcomers stay, and the next ordinary run does it all again.
func TestUndo(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	before, _ := s.look(t)
	next := s.District.Next(nil)
	day := next.Today()
	s.deliver(t, exported(t, next))
	out := filepath.Join(s.dir, "out")
	if status, text, errs := s.run(t, day, "-apply", "-out", out); status != 0 {
		t.Fatalf("status %d\n%s%s", status, text, errs)
	}
	changed, _ := s.look(t)
	undo := filepath.Join(s.dir, "undo.json")
	runs, err := os.ReadDir(filepath.Join(s.dir, "state", "runs"))
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs are kept: %v", len(runs), err)
	}
	run := runs[1].Name()
	if !strings.Contains(run, day.String()) {
		run = runs[0].Name()
	}
	if status, text, errs := s.run(t, day, "-undo", run, "-plan", undo); status != 3 ||
		!strings.Contains(text, "notices to take back") ||
		!strings.Contains(text, "an account that was made stays") {
		t.Fatalf("status %d\n%s%s", status, text, errs)
	}
	if same, _ := s.look(t); cmp.Diff(changed, same) != "" {
		t.Error("planning an undo has changed something")
	}
	if status, text, errs := s.run(t, day, "-apply-plan", undo); status != 3 {
		t.Fatalf("status %d\n%s%s", status, text, errs)
	}
	after, _ := s.look(t)
	after = slices.DeleteFunc(after, func(a schoolmail.Account) bool {
		return !slices.ContainsFunc(before, func(b schoolmail.Account) bool { return b.Username == a.Username })
	})
	for i := range after {
		after[i].Previous = schoolmail.Previous{}  // the newer copies are kept for the grace
		before[i].Marks, after[i].Marks = nil, nil // guards go on counting what was done
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +undone)\n%s", diff)
	}
	if status, text, errs := s.run(t, day, "-undo", filepath.Join(out, "plan.json"), "-apply"); status != 3 ||
		!strings.Contains(text, "no longer as the plan left it") {
		t.Errorf("a second undo: status %d\n%s%s", status, text, errs)
	}
	if status, text, errs := s.run(t, day, "-apply"); status == 1 || !strings.Contains(text, "leavers to notify") {
		t.Errorf("the next ordinary run: status %d\n%s%s", status, text, errs)
	}
}

// TestRubbish feeds damaged exports after a first provisioning: the exit status
// says so, the position is named where there is one, and nobody is lost.
func TestRubbish(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spoil  func(e escadatest.Export)
		status int
		says   string
	}{
		{"empty export", func(e escadatest.Export) { e.Empty() }, 2, ""},
		{"no files", func(e escadatest.Export) { clear(e) }, 2, ""},
		{"missing column", func(e escadatest.Export) { e.DropColumn("Schule") }, 2, "Schule"},
		// The letters that Windows-1252 lacks have become question marks.
		{"Windows-1252", func(e escadatest.Export) { e.EncodeWindows1252() }, 3, "letters were lost"},
		{"truncated", func(e escadatest.Export) { e.Truncate(e.Names()[0], len(e[e.Names()[0]])*2/3) }, 3, "incomplete"},
		{"double ids", func(e escadatest.Export) { e.DoubleIDs(30) }, 3, ".csv:"},
		{"most of a school gone", func(e escadatest.Export) { e.DropSchool(string(firstSchool()), 700) }, 3,
			"school-not-delivered"},
		{"half of a school gone", func(e escadatest.Export) { e.DropSchool(string(firstSchool()), 500) }, 3, "held back: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 60)
			day := s.District.Today()
			if status, out, errs := s.run(t, day, "-apply"); status != 0 {
				t.Fatalf("status %d\n%s%s", status, out, errs)
			}
			accounts, places := s.look(t)
			e := exported(t, s.District)
			test.spoil(e)
			s.deliver(t, e)
			status, out, errs := s.run(t, day.AddDays(1), "-apply")
			if status != test.status || !strings.Contains(out+errs, test.says) {
				t.Errorf("status %d, want %d and %q:\n%s%s", status, test.status, test.says, out, errs)
			}
			acks, err := filepath.Glob(filepath.Join(s.dir, "state", "runs", day.AddDays(1).String()+"-*",
				"acknowledgement.csv"))
			if err != nil || len(acks) != 1 {
				t.Fatal(acks, err)
			}
			if ack, err := os.ReadFile(acks[0]); err != nil || bytes.Count(ack, []byte("\n")) < 2 {
				t.Errorf("the school administration is told %q (%v)", ack, err)
			}
			now, nowPlaces := s.look(t)
			if test.status == 2 || test.name == "Windows-1252" {
				if diff := cmp.Diff(accounts, now) + cmp.Diff(places, nowPlaces); diff != "" {
					t.Errorf("something has changed:\n%s", diff)
				}
			}
			for i, a := range now {
				if a.State != accounts[i].State {
					t.Errorf("%s is %s", a.Username, a.State)
				}
			}
			// The next good delivery finds everybody as before.
			s.deliver(t, exported(t, s.District))
			if status, out, errs := s.run(t, day.AddDays(2), "-apply"); status != 0 {
				t.Errorf("afterwards: status %d\n%s%s", status, out, errs)
			}
			if again, _ := s.look(t); cmp.Diff(accounts, again) != "" {
				t.Errorf("afterwards:\n%s", cmp.Diff(accounts, again))
			}
		})
	}
}

func firstSchool() schoolmail.SchoolID {
	d := escadatest.NewDistrict(1, &escadatest.Options{Schools: 4, People: 60})
	return d.Schools()[0].ID
}

// TestBadFlags: exit status 2, and the reason.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("[site]\nnome = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-apply"}, "-apply needs -config"},
		{[]string{"-now", "10.8.2026"}, "expected YYYY-MM-DD"},
		{[]string{"-nonsense"}, "-nonsense"},
		{[]string{"extra"}, "unexpected argument"},
		{[]string{"-people", "3"}, "-people 3"},
		{[]string{"-config", "no-such.toml"}, "no-such.toml"},
		{[]string{"-config", bad}, "bad.toml:2"},
		{[]string{"-config", bad, "-apply", "-apply-plan", "x"}, "-apply-plan goes with none"},
		{[]string{"-config", bad, "-apply", "-dry-run"}, "contradicts"},
	} {
		var out, errs bytes.Buffer
		if status := program.Main(t.Context(), test.args, &out, &errs); status != 2 ||
			!strings.Contains(errs.String(), test.says) {
			t.Errorf("%q: status %d, want 2 and %q:\n%s", test.args, status, test.says, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if status := program.Main(t.Context(), []string{"-h"}, &out, &errs); status != 0 ||
		!strings.Contains(out.String(), "Exit status: 0 all done") {
		t.Errorf("-h: status %d\n%s", status, out.String())
	}
}

// TestKill kills the program (SIGKILL) at random moments of the first
// provisioning and of the change of the school year, starts it again each
// time, and compares the end with a run that was left alone.
func TestKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	play := func(s *playground, kill bool) (accounts []schoolmail.Account, places []schoolmail.Place, kills int) {
		for _, d := range []*escadatest.District{s.District, s.District.Next(nil)} {
			s.deliver(t, exported(t, d))
			// The delays begin short, so that something is cut off however fast the machine is.
			for wait := 30 * time.Millisecond; ; wait = wait * 3 / 2 {
				ctx, cancel := context.WithCancel(t.Context())
				cmd := exec.CommandContext(ctx, self, "-config", s.config(), "-now", d.Today().String(), "-apply", "-any-day", "-q")
				cmd.Env = append(os.Environ(), asProgram+"=1")
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if kill {
					time.AfterFunc(wait, cancel) // CommandContext kills
				}
				err := cmd.Run()
				killed := ctx.Err() != nil && err != nil
				cancel()
				if killed {
					kills++
					continue
				}
				if err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
				break
			}
			if _, err := s.FillCalendars(); err != nil {
				t.Fatal(err)
			}
		}
		status, out, errs := s.run(t, s.District.Next(nil).Today(), "-apply")
		if status != 0 || !strings.Contains(out, "Nothing to do.") {
			t.Errorf("at the end: status %d\n%s%s", status, out, errs)
		}
		accounts, places = s.look(t)
		return accounts, places, kills
	}
	calmAccounts, calmPlaces, _ := play(start(t, 60), false)
	s := start(t, 60)
	accounts, places, kills := play(s, true)
	if kills < 4 {
		t.Errorf("the program was killed only %d times", kills)
	}
	if diff := cmp.Diff(calmAccounts, accounts); diff != "" {
		t.Errorf("accounts (-calm +killed):\n%s", diff)
	}
	if diff := cmp.Diff(calmPlaces, places); diff != "" {
		t.Errorf("places (-calm +killed):\n%s", diff)
	}
	for _, a := range accounts {
		if a.Key.Source == s.Policy.Source && a.State == schoolmail.Active && len(s.Dovecot.Mailboxes(a.Mail)) == 0 {
			t.Errorf("%s has no mailbox", a.Username)
		}
	}
}

// Reading users by the HTTP API instead of SOAP gives the same plans: a year
// with transfers, deactivations and returns, and nothing to do after each act.
func TestReadUsersByHTTP(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	b, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), `# read_users = "soap"`, `read_users = "http"`, 1)
	if text == string(b) {
		t.Fatal("the configuration has no read_users")
	}
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	next := s.District.Next(nil)
	for _, act := range []struct {
		d    *escadatest.District
		days int
		want string
	}{
		{s.District, 0, "accounts to create"},
		{next, 0, "to transfer to another context"},
		{next, 56, "to deactivate"},
		{s.District, 400, "to open again"},
	} {
		s.deliver(t, exported(t, act.d))
		day := act.d.Today().AddDays(act.days)
		if status, out, errs := s.run(t, day, "-apply"); status == 1 || status == 2 || !strings.Contains(out, act.want) {
			t.Fatalf("%s: status %d, want %q\n%s%s", day, status, act.want, out, errs)
		}
		if _, out, errs := s.run(t, day, "-apply"); !strings.Contains(out, "Nothing to do") {
			t.Errorf("%s: the second run:\n%s%s", day, out, errs)
		}
	}
}
