package program

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// A conversion from the files of a real Cyrus: plan, run, report, and again.
func TestConvert(t *testing.T) {
	t.Parallel()
	cyrus := cyrusd.Start(t, &cyrusd.Config{Users: []cyrusd.User{{Name: "anna", Password: "x"},
		{Name: "beat", Password: "x"}, {Name: "carla", Password: "x"}}})
	c, err := cyrusd.Dial(cyrus.IMAPAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, cmd := range []string{"LOGIN anna x", "CREATE Gesendet", "CREATE Sent", `CREATE Ausgang (USE (\Drafts))`} {
		if _, err := c.Do("%s", cmd); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		if err := c.Append("Gesendet", `\Seen`, "", fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	mail := filepath.Join(dir, "mail")
	if err := os.Mkdir(mail, 0o755); err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(dir, "pilot.txt")
	if err := os.WriteFile(users, []byte("name,source,target\nanna,anna,anna@school.test\nbeat,beat,\nnobody,nobody,\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "district.toml")
	text := fmt.Sprintf("[migrate]\nusers = 'pilot.txt'\nstate_dir = %q\n[migrate.spool]\npartitions = [%q]\n"+
		"config = %q\n"+
		"maildir = '%s/%%u/Maildir'\n", filepath.Join(dir, "state"), cyrus.Spool, filepath.Join(cyrus.Dir, "conf"), mail)
	if os.Getuid() == 0 {
		text += fmt.Sprintf("owner = '%d:%d'\n", 65534, 65534)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "-config", config, "-convert", "-plan")
	for _, want := range []string{"Gesendet                     -> Sent                     (name), up to 10 messages",
		`not converted: "Sent", 0 messages (merged: "Gesendet" goes to "Sent" as well and keeps its UIDs)`,
		`not converted: "Ausgang", 0 messages (special use`} {
		if !strings.Contains(out, want) {
			t.Errorf("plan lacks %q:\n%s", want, out)
		}
	}
	if code != cli.Held || !strings.Contains(errs, "nobody: plan: the spool has no INBOX") {
		t.Errorf("plan: exit %d, %s", code, errs)
	}
	if entries, err := os.ReadDir(mail); err != nil || len(entries) > 0 {
		t.Fatalf("the plan made %v, %v", entries, err)
	}
	report := filepath.Join(dir, "report.json")
	code, out, errs = call(t, "-config", config, "-convert", "-report", report)
	if code != cli.Held || !strings.Contains(out, "anna: 10 copied") ||
		!strings.Contains(out, "nobody: open: the spool has no INBOX") || strings.Contains(out, "carla") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep Report
	if err := json.Unmarshal(raw, &rep); err != nil || len(rep.Spool) != 3 || rep.Spool[0].Total.Copied != 10 ||
		rep.Spool[2].Error == "" {
		t.Errorf("report %s, %v", raw, err)
	}
	files, err := filepath.Glob(filepath.Join(mail, "anna@school.test", "Maildir", ".Sent", "cur", "*:2,S"))
	if err != nil || len(files) != 10 {
		t.Errorf("%d files, %v", len(files), err)
	}
	// By flags alone, everybody: anna's target is another directory now, which
	// her state knows to be wrong.
	args := []string{"-spool", cyrus.Spool, "-maildir", mail + "/%u/Maildir", "-state", filepath.Join(dir, "state")}
	if os.Getuid() == 0 {
		args = append(args, "-owner", "65534:65534")
	}
	code, out, _ = call(t, args...)
	if code != cli.Held || !strings.Contains(out, "anna: copy: the Maildir of an earlier conversion is gone") &&
		!strings.Contains(out, "anna: open: the Maildir of an earlier conversion is gone") ||
		!strings.Contains(out, "carla: 0 copied") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// With servers the plan is theirs. The simulated Dovecot marks the folder.
func TestConvertLivePlan(t *testing.T) {
	t.Parallel()
	cyrus := cyrusd.Start(t, &cyrusd.Config{Users: []cyrusd.User{{Name: "anna", Password: "x"}}})
	to := testlife.Of(dovecottest.Start())(t)
	defer to.Close()
	to.SetUsers(dovecottest.User{Name: "anna", Password: "x"})
	c, err := cyrusd.Dial(cyrus.IMAPAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, cmd := range []string{"LOGIN anna x", `CREATE Ausgang (USE (\Sent))`} {
		if _, err := c.Do("%s", cmd); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("anna\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call(t, "-spool", cyrus.Spool, "-maildir", filepath.Join(dir, "%u", "Maildir"), "-users", users,
		"-insecure", "-plan", "-state", filepath.Join(dir, "state"),
		"-from", fmt.Sprintf("imap://%s:%s@%s", cyrus.ProxyUser, cyrus.ProxyPassword, cyrus.IMAPAddr), "-to",
		fmt.Sprintf("imap://%s:%s@%s", to.MasterUser, to.MasterPassword, to.IMAPAddr))
	if code != cli.Done || !strings.Contains(out,
		"Ausgang                      -> Sent                     (special use)") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestConvertUsage(t *testing.T) {
	t.Parallel()
	ok := []string{"-spool", "/var/spool/none", "-maildir", "/srv/mail/%u/Maildir"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no pattern": {[]string{"-spool", "/var/spool/none"}, "-maildir is an absolute path with %u"},
		"fixed path": {[]string{"-spool", "/var/spool/none", "-maildir", "/srv/mail"},
			"-maildir is an absolute path with %u"},
		"no spool":     {[]string{"-convert", "-maildir", "/srv/mail/%u"}, "no spool is named"},
		"verify":       {append(ok, "-verify"), "belong to the migration over IMAP"},
		"cut-over":     {append(ok, "-cut-over"), "belong to the migration over IMAP"},
		"one server":   {append(ok, "-from", "imaps://u@h"), "both -from and -to"},
		"page":         {append(ok, "-report", "x.html"), "is JSON"},
		"owner":        {append(ok, "-owner", "no-such-user:x"), "is not USER:GROUP"},
		"bad server":   {append(ok, "-from", "http://h", "-to", "imaps://h"), "want imap:// or imaps://"},
		"nobody there": {append(ok, "-state", "/nonexistent"), "no accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := call(t, c.args...)
			if code != cli.Usage || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d, %q, want 2 and %q", code, errs, c.want)
			}
		})
	}
	for name, want := range map[string]string{"anna@school.test": "/m/school.test/anna/anna@school.test%", "a/../b": "",
		"..": "", "": ""} {
		got, err := maildir("/m/%d/%n/%u%%", name)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}
