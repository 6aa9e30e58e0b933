package site

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"context"
	"io/fs"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/district"
)

func planIn(t *testing.T) string {
	t.Helper()
	plan, err := schoolmail.NewUndo(schoolmail.Policy{Source: "escada",
		Populations: []schoolmail.Population{{Name: "all", Roles: []schoolmail.Role{schoolmail.RolePupil},
			Contexts: []schoolmail.ContextID{1}, Domain: "x.example", Access: "webmail"}},
		Contexts: []schoolmail.ContextSpec{{ID: 1, Name: "c1"}}},
		schoolmail.State{}, schoolmail.Delivery{}, &schoolmail.Plan{Header: schoolmail.Header{ID: "x", Source: "escada"}},
		schoolmail.NewDate(2026, 8, 10))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := WritePlan(file, plan); err != nil {
		t.Fatal(err)
	}
	return file
}

// An approval is of the very file; where four eyes are wanted nobody applies what
// they have approved themselves, or what nobody has approved.
func TestFourEyes(t *testing.T) {
	file := planIn(t)
	if a, err := ReadApproval(file); a != nil || err != nil {
		t.Errorf("nobody has approved: %+v, %v", a, err)
	}
	old, owner := whoRuns, ownerOf
	defer func() { whoRuns, ownerOf = old, owner }()
	ownerOf = func(fs.FileInfo) string { return "1001" }
	whoRuns = func() (string, string, error) { return "frei", "1001", nil }
	if _, err := ApprovePlan(file); err != nil {
		t.Fatal(err)
	}
	approval, err := ReadApproval(file)
	if err != nil || approval.User != "frei" {
		t.Fatal(approval, err)
	}
	if info, err := os.Stat(approvalFile(file)); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("somebody else cannot read it: %v, %v", info.Mode(), err)
	}
	ownerOf = func(fs.FileInfo) string { return "1002" }
	if _, err := ReadApproval(file); err == nil || !strings.Contains(err.Error(), "the file is that of user id 1002") {
		t.Errorf("an approval in somebody else's name: %v", err)
	}
	ownerOf = func(fs.FileInfo) string { return "1001" }
	plan, err := ReadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	other := *approval
	other.Plan = "another"
	for _, test := range []struct {
		name string
		four bool
		opts RunOptions
		id   string
		want string
	}{
		{"not wanted", false, RunOptions{}, "1001", ""},
		{"an ordinary run", true, RunOptions{}, "1002", "a plan is saved"},
		{"nobody has approved", true, RunOptions{Approved: plan}, "1002", "nobody has approved plan"},
		{"another plan was approved", true, RunOptions{Approved: plan, Approval: &other}, "1002", "nobody has approved plan"},
		{"the same person", true, RunOptions{Approved: plan, Approval: approval}, "1001", "frei has approved the plan"},
		{"somebody else", true, RunOptions{Approved: plan, Approval: approval}, "1002", ""},
	} {
		err := (&Site{fourEyes: test.four}).mayApply(&test.opts, test.id)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if by := signed(&RunOptions{Approval: approval}, "meier"); !strings.HasPrefix(by, "approved by frei on 2") ||
		!strings.HasSuffix(by, ", applied by meier") {
		t.Error(by)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(bytes.TrimSuffix(b, []byte("\n")), " \n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadApproval(file); err == nil || !strings.Contains(err.Error(), "not the one that frei approved") {
		t.Errorf("changed since: %v", err)
	}
}

// A list of accounts to take over is approved as a plan is.
func TestFourEyesOnAList(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.csv")
	put := func(text string) *district.Signed {
		if err := os.WriteFile(file, []byte("by;A\ndate;2026-11-29\nusername;record\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := district.ReadSigned(file, false, "username", "record")
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := put("a;1\n")
	old, owner := whoRuns, ownerOf
	defer func() { whoRuns, ownerOf = old, owner }()
	ownerOf = func(fs.FileInfo) string { return "1001" }
	whoRuns = func() (string, string, error) { return "frei", "1001", nil }
	check := func(what string, four bool, list *district.Signed, id, want string) {
		t.Helper()
		err := (&Site{fourEyes: four}).listApproved(list, id)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	check("not wanted", false, list, "1001", "")
	check("nobody has approved", true, list, "1002", "nobody has approved")
	if _, err := ApprovePlan(file); err != nil {
		t.Fatal(err)
	}
	check("the same person", true, list, "1001", "frei has approved the list")
	check("somebody else", true, list, "1002", "")
	check("changed since", true, put("a;2\n"), "1002", "not the one that frei approved")
}

// A command that is never answered ends, and says so; the run's own end is told as
// that.
func TestCommandsHaveALimit(t *testing.T) {
	t.Parallel()
	for _, limits := range []TimeLimits{{}, {Command: 10 * time.Second}} {
		synctest.Test(t, func(t *testing.T) { commandsHaveALimit(t, limits) })
	}
	if l := (TimeLimits{Run: time.Hour, Notice: time.Minute}); l.run() != time.Hour || l.notice() != time.Minute ||
		l.command() != 5*time.Minute || (TimeLimits{}).run() != 20*time.Hour {
		t.Errorf("limits %v", l)
	}
}

func commandsHaveALimit(t *testing.T, limits TimeLimits) {
	begin := time.Now()
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if err := limited(t.Context(), "mail server", limits.command(), hang); err == nil ||
		!strings.Contains(err.Error(), "mail server: no answer within "+limits.command().String()) {
		t.Error(err)
	}
	if d := time.Since(begin); d != limits.command() {
		t.Errorf("after %s", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Second, cancel)
	if err := limited(ctx, "mail server", limits.command(), hang); err == nil ||
		strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
	fine := func(context.Context) error { return nil }
	if err := limited(t.Context(), "mail server", limits.command(), fine); err != nil {
		t.Error(err)
	}
}
