//go:build unix

package examples_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// fourEyesRecipe returns the three commands of docs/operate.md: to plan at night, to
// approve, and to apply.
func fourEyesRecipe(t *testing.T) (plan, approve, apply string) {
	t.Helper()
	b, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "### With four eyes")
	_, text, _ = strings.Cut(text, "```\n")
	text, _, _ = strings.Cut(text, "```")
	at := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("nothing like %s in the recipe:\n%s", pattern, text)
		}
		return m[1]
	}
	return at(`(?m)^0 2 \* \* \* +schoolmail +(.*)$`), at(`(provision -approve [^)]*)\)`),
		at(`(?m)^\*/10 7-18 \* \* \* +schoolmail +(.*)$`)
}

// systemUser is a user of the operating system.
type systemUser struct{ uid, gid uint32 }

func lookUp(t *testing.T, name string) systemUser {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		lacking.Skip(t, err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return systemUser{uint32(uid), uint32(gid)}
}

// The recipe for four eyes in docs/operate.md, line by line, with two users of the
// operating system: the one who has the secrets plans and applies, another one approves
// without any secret, and nobody does both.
func TestFourEyesWithTwoUsers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		lacking.SkipAnyway(t, errors.New("only root can run programs as two other users"))
	}
	const group = 54321 // of nobody else
	owner, approver := lookUp(t, "nobody"), lookUp(t, "daemon")
	dir, err := os.MkdirTemp("", "four-eyes-*") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(24),
		sitetest.WithFirstDay(sitetest.FirstDay(schoolmail.DateOf(time.Now())))))(t)
	export, err := sb.District.Export(nil)
	if err == nil {
		err = export.WriteDir(in("export"))
	}
	c := sb.Config(in("export"), in("state"))
	c.Guards.FourEyes = true
	err = errors.Join(err, os.Mkdir(in("bin"), 0o755), os.Mkdir(in("state"), 0o700), os.Mkdir(in("review"), 0o770),
		copyFile(in("bin/provision"), filepath.Join(bin, "provision")), district.WriteFile(in("district.toml"), c))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, int(owner.uid), int(owner.gid)))
	})
	err = errors.Join(err, os.Chmod(dir, 0o755), os.Chown(in("review"), int(owner.uid), group),
		os.Chmod(in("review"), 0o770|os.ModeSetgid))
	if err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/schoolmail", dir, "/var/lib/schoolmail", dir)
	as := func(u systemUser, command string) (printed string, status int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "umask 077; "+here.Replace(command))
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + in("bin") + ":/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: []uint32{group}}}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(err)
		}
		return out.String(), cmd.ProcessState.ExitCode()
	}
	plan, approve, apply := fourEyesRecipe(t)
	untouched := sb.Writes()
	for _, step := range []struct {
		name    string
		who     systemUser
		command string
		status  int
		says    string
	}{
		{"nothing is there to apply", owner, apply, 1, ""},
		{"the night plans", owner, plan, 0, "accounts to create"},
		{"nobody has approved", owner, apply, 1, ""},
		{"who approves can read the plan", approver, "cat review/plan.txt", 0, "create"},
		{"and no secret", approver, "cat district.toml", 1, "denied"},
		{"nor run anything", approver, "provision -config /etc/schoolmail/district.toml -apply-plan review/plan.json", 2,
			"denied"},
		{"the owner approves alone", owner, approve, 0, "has approved"},
		{"which is refused", owner, apply, 2, "somebody else applies it"},
		{"the approval goes", owner, "rm review/plan.json.approved", 0, ""},
		{"without a plan nothing is applied", owner, "provision -config /etc/schoolmail/district.toml -apply", 2,
			"four_eyes is set"},
	} {
		printed, status := as(step.who, step.command)
		if status != step.status || !strings.Contains(printed, step.says) {
			t.Fatalf("%s: status %d, want %d and %q:\n%s", step.name, status, step.status, step.says, printed)
		}
	}
	if diff := cmp.Diff(untouched, sb.Writes()); diff != "" {
		t.Fatalf("before two have agreed: %s", diff)
	}
	if printed, status := as(approver, approve); status != 0 || !strings.Contains(printed, "daemon has approved") {
		t.Fatalf("another one approves: status %d\n%s", status, printed)
	}
	if printed, status := as(owner, apply); status != 0 || !strings.Contains(printed, "24 accounts to create") {
		t.Fatalf("applied: status %d\n%s", status, printed)
	}
	if left, _ := filepath.Glob(in("review/plan.json*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	journal, err := os.ReadFile(in("state/journal.jsonl"))
	if err != nil || !regexp.MustCompile(`approved by daemon on .*applied by nobody`).Match(journal) {
		t.Errorf("the journal does not say who has approved and applied: %v", err)
	}
	if printed, status := as(owner, plan); status != 0 || !strings.Contains(printed, "Nothing to do") {
		t.Errorf("the next night: status %d\n%s", status, printed)
	}
}

func copyFile(to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
