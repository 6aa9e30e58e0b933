package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/programtest"
	"github.com/ictmedia/schoolmail/ox/galprobe"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

var start = programtest.Main(Main).Call

func TestSandbox(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "evidence.json")
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"closed":          {nil, cli.Done, "open 0"},
		"left open":       {[]string{"-leave-open", "-evidence", file}, cli.Held, "contacts all       open"},
		"closed on order": {[]string{"-leave-open", "-close"}, cli.Done, "1 closed just now"},
		"remedies":        {[]string{"-remedies"}, cli.Done, "Separate contexts."},
		"nginx":           {[]string{"-nginx", "-trusted", "10.0.0.0/8,::1/128"}, 0, "::1/128 1;"},
		"haproxy":         {[]string{"-haproxy"}, 0, "http-request deny"},
		"bad network":     {[]string{"-haproxy", "-trusted", "x"}, cli.Usage, ""},
		"help":            {[]string{"-h"}, 0, "Exit status: 0 everything"},
		"bad flag":        {[]string{"-x"}, cli.Usage, ""},
		"argument":        {[]string{"x"}, cli.Usage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := start(t, tc.args...)
			if status != tc.status || !strings.Contains(stdout+stderr, tc.want) {
				t.Errorf("status %d, want %d; %q is missing in\n%s%s", status, tc.status, tc.want, stdout, stderr)
			}
		})
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e galprobe.Evidence
	if err := json.Unmarshal(b, &e); err != nil || len(e.Contexts) != 2 || len(e.Access) != 2 ||
		len(e.Access[0].Open) != 1 {
		t.Errorf("evidence: %v, %+v", err, e.Access)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	srv, c, err := sandbox(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("admin", c.Contexts[0].Control.Password.Reveal()+"\n")
	write("pw", c.Contexts[0].Accounts[0].Password.Reveal()+"\n")
	good := `[ox]
http_url = "` + c.HTTPURL + `"
[galprobe]
book = "Lehrpersonen"
[[context]]
id = 21
name = "primar-1"
admin_login = "` + sitetest.AdminLogin(21) + `"
admin_password_file = "admin"
probe = [ { role = "pupil", login = "probe", password_file = "pw" } ]
`
	if status, stdout, stderr := start(t, "-config", write("good.toml", good)); status != cli.Done ||
		!strings.Contains(stdout, "3 entries can be read") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key": {good + "colour = 1\n", "bad.toml:11:1: context[1].colour: unknown key"},
		"no syntax":   {"[ox]\nhttp_url = ", "bad.toml:2:"},
		"nothing":     {"", "ox.http_url: missing"},
		"all at once": {"", "expected at least one section [[context]]"},
		"no role": {strings.Replace(good, `role = "pupil", `, "", 1),
			"bad.toml:10:1: context[1].probe[1].role: missing"},
		"no password file": {strings.Replace(good, `password_file = "pw"`, `password_file = "none"`, 1), "none"},
		"no password":      {strings.Replace(good, `, password_file = "pw"`, "", 1), "context[1].probe[1].password: missing"},
		"nobody to probe": {strings.Replace(good, "probe = ", "# ", 1),
			"expected probe in the contexts that are to be probed"},
		"an old file": {"http_url = 'x'\n", "bad.toml:1:1: http_url: is now http_url in [ox]"},
	} {
		status, _, stderr := start(t, "-config", write("bad.toml", tc.text))
		if status != cli.Usage || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: status %d, %s", name, status, stderr)
		}
	}
	// The control account past a proxy, where there is no Open-Xchange, and the others as before.
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	elsewhere := strings.Replace(good, "[galprobe]\n", "[galprobe]\ncontrol_url = \""+nothing.URL+"/ajax/\"\n", 1)
	if status, stdout, stderr := start(t, "-config", write("control.toml", elsewhere)); status != cli.Failed ||
		!strings.Contains(stdout, "not probed: galprobe: control account") {
		t.Errorf("control_url: status %d\n%s%s", status, stdout, stderr)
	}
	// Permissions that cannot be looked at do not keep anything from being probed.
	file := filepath.Join(dir, "evidence.json")
	noExempt := strings.NewReplacer("[ox]\n", "[ox]\nsoap_urls = [\""+c.SOAPURLs[0]+"\"]\n", "[galprobe]\n",
		"[galprobe]\nexempt = [\"nobody.at.all\"]\n").Replace(good)
	if status, stdout, stderr := start(t, "-evidence", file, "-config",
		write("exempt.toml", noExempt)); status != cli.Failed ||
		!strings.Contains(stdout, "not finished: ") || !strings.Contains(stdout, "3 entries can be read") {
		t.Errorf("exempt: status %d\n%s%s", status, stdout, stderr)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if status, _, stderr := start(t, "-close", "-config", write("good.toml", good)); status != cli.Failed ||
		!strings.Contains(stderr, "soap_urls") {
		t.Errorf("-close without provisioning: %d %s", status, stderr)
	}
}

// What was found until the program is stopped is written.
func TestStopped(t *testing.T) {
	t.Parallel()
	srv, c, err := sandbox(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	c.SOAPURLs = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "evidence.json")
	var out bytes.Buffer
	if _, err := run(ctx, c, false, file, &out, io.Discard); err == nil {
		t.Error("no error")
	}
	if !strings.Contains(out.String(), "not probed: ") {
		t.Errorf("output:\n%s", out.String())
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), `"requests"`) {
		t.Errorf("evidence: %v", err)
	}
}
