package galprobe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/galprobe"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

const (
	trustedAddress  = "10.1.2.3"
	ordinaryAddress = "192.0.2.7"
)

// program finds a server of Debian, which are not in everybody's path.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/usr/local/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	lacking.Skip(t, name+" (Debian package "+pkg+")")
	return ""
}

// proxy is a real proxy in front of the simulator. It listens on a socket and
// takes the client's address from the PROXY protocol.
type proxy struct {
	t      *testing.T
	socket string
}

// run starts the proxy and waits until it listens.
func (p *proxy) run(name string, args ...string) {
	p.t.Helper()
	var output bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); ; {
		if c, err := net.Dial("unix", p.socket); err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			p.t.Fatalf("%s ended: %v\n%s", name, err, output.String())
		case <-deadline:
			p.t.Fatalf("%s does not listen\n%s", name, output.String())
		case <-tick.C:
		}
	}
}

// transport connects from an address.
func (p *proxy) transport(address string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", p.socket)
		if err == nil {
			_, err = fmt.Fprintf(c, "PROXY TCP4 %s 192.0.2.1 40000 80\r\n", address)
		}
		return c, err
	}}
}

func (p *proxy) client(address string) *appsuite.Client {
	p.t.Helper()
	tr := p.transport(address)
	p.t.Cleanup(tr.CloseIdleConnections)
	c, err := appsuite.New("http://ox.invalid/ajax/", &appsuite.Options{HTTPClient: &http.Client{Transport: tr,
		Timeout: time.Minute}})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// shortDir is a temporary folder whose name leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func snippet(t *testing.T, write func(io.Writer, *galprobe.ProxyOptions) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b, &galprobe.ProxyOptions{Trusted: []netip.Prefix{netip.MustParsePrefix(trustedAddress +
		"/32")}}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func startNginx(t *testing.T, backend string) *proxy {
	t.Helper()
	nginx := program(t, "nginx", "nginx-light")
	dir := shortDir(t)
	p := &proxy{t, filepath.Join(dir, "s")}
	outside, inside, ok := strings.Cut(snippet(t, galprobe.WriteNginx), "# in server { }")
	if !ok {
		t.Fatal("the two parts of the snippet are not to be told apart")
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	conf := user + `daemon off; worker_processes 1; pid ` + dir + `/pid; error_log ` + dir + `/error.log;
events { worker_connections 256; }
http {
access_log off;
client_body_temp_path ` + dir + `/a; proxy_temp_path ` + dir + `/b; fastcgi_temp_path ` + dir + `/c;
uwsgi_temp_path ` + dir + `/d; scgi_temp_path ` + dir + `/e;
client_max_body_size 100m;
` + outside + `
server {
listen unix:` + p.socket + ` proxy_protocol;
set_real_ip_from unix:;
real_ip_header proxy_protocol;
# in server { }` + inside + `
location / { proxy_pass ` + backend + `; proxy_set_header Host $host; }
}
}
`
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(nginx, "-t", "-p", dir, "-c", file, "-e",
		filepath.Join(dir, "error.log")).CombinedOutput(); err != nil {
		t.Fatalf("nginx -t: %v\n%s\n%s", err, out, conf)
	}
	p.run(nginx, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	return p
}

func startHAProxy(t *testing.T, backend string) *proxy {
	t.Helper()
	haproxy := program(t, "haproxy", "haproxy")
	dir := shortDir(t)
	p := &proxy{t, filepath.Join(dir, "s")}
	u, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	conf := `global
  tune.bufsize 65536
  nbthread 1
defaults
  mode http
  timeout connect 30s
  timeout client 120s
  timeout server 120s
  timeout http-request 60s
frontend ox
  bind unix@` + p.socket + ` accept-proxy
` + snippet(t, galprobe.WriteHAProxy) + `
  default_backend ox
backend ox
  server ox ` + u.Host + `
`
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(haproxy, "-c", "-f", file).CombinedOutput(); err != nil ||
		bytes.Contains(out, []byte("WARNING")) {
		t.Fatalf("haproxy -c: %v\n%s\n%s", err, out, conf)
	}
	p.run(haproxy, "-db", "-f", file)
	return p
}

// TestProxies tries the snippets with the real programs in front of the
// simulator: the lists are closed, whatever is tried, and ordinary work goes on.
func TestProxies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		start  func(*testing.T, string) *proxy
		bodies bool // looks into "multiple"
	}{
		"nginx":   {startNginx, false},
		"haproxy": {startHAProxy, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, "pim", "")
			u, err := url.Parse(srv.HTTPURL)
			if err != nil {
				t.Fatal(err)
			}
			p := tc.start(t, u.Scheme+"://"+u.Host)
			testProbeThrough(t, p, srv, tc.bodies)
			testWorkThrough(t, p)
			testTricks(t, p, tc.bodies)
		})
	}
}

// The probe as a pupil through the proxy finds closed what without it is open to
// everybody. Its control account comes from a trusted address.
func testProbeThrough(t *testing.T, p *proxy, srv *oxtest.Instance, bodies bool) {
	t.Helper()
	tr := p.transport(ordinaryAddress)
	defer tr.CloseIdleConnections()
	e, err := galprobe.Run(t.Context(), p.client(ordinaryAddress), "http://ox.invalid/ajax/", []galprobe.Target{{
		Control: appsuite.Credentials{Name: "oxadmin@primar", Password: "secret"},
		Accounts: []galprobe.Account{{Role: "pupil", Credentials: appsuite.Credentials{Name: "eva@primar",
			Password: "secret"}}},
	}}, &galprobe.Options{ControlClient: p.client(trustedAddress), HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Contexts[0].Error != "" {
		t.Fatal(e.Contexts[0].Error)
	}
	for _, f := range e.Contexts[0].Accounts[0].Findings {
		want := galprobe.Closed
		switch {
		case f.Path == "portraits":
			want = galprobe.Unproved
		case f.Path == "multiple" && !bodies:
			want = galprobe.Limited
		}
		if f.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", f.Path, f.Verdict, f.Reason, want)
		}
		switch f.Path {
		case "user contacts", "users", "groups", "profile":
			if f.Reason != "refused with HTTP 403" || f.ControlRows == 0 {
				t.Errorf("%s: %s, %d rows for the control account", f.Path, f.Reason, f.ControlRows)
			}
		}
	}
	if e.Verdict() != galprobe.Closed {
		t.Errorf("%s, %+v", e.Verdict(), e.Counts)
	}
	if n := srv.OpenSessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// What a pupil does all day goes on; and the program that writes the address
// books, from its trusted address, sees the lists.
func testWorkThrough(t *testing.T, p *proxy) {
	t.Helper()
	ctx := t.Context()
	login := func(client *appsuite.Client, user string) *appsuite.Session {
		t.Helper()
		s, err := client.Login(ctx, appsuite.Credentials{Name: user + "@primar", Password: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Logout(context.WithoutCancel(ctx)) })
		return s
	}
	books := login(p.client(trustedAddress), "books")
	if users, err := appsuite.Collect(books.Users(ctx)); err != nil || len(users) != 5 {
		t.Errorf("from the trusted address: %d users, %v", len(users), err)
	}
	if groups, err := appsuite.Collect(books.Groups(ctx)); err != nil || len(groups) != 1 {
		t.Errorf("from the trusted address: %d groups, %v", len(groups), err)
	}
	book, err := books.CreateFolder(ctx, appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Klasse",
		Permissions: []appsuite.Permission{
			{Entity: appsuite.UserEntity(books.UserID()), Rights: appsuite.Owner()},
			{Entity: appsuite.Everybody(), Rights: appsuite.ReadOnly()}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := books.CreateContact(ctx, appsuite.CreateContact{Folder: book,
		Fields: appsuite.Fields{appsuite.DisplayName: "Lehrperson", appsuite.Email1: "l@schulen.example"}}); err != nil {
		t.Fatal(err)
	}

	pupil := login(p.client(ordinaryAddress), "eva")
	if me, err := pupil.Me(ctx); err != nil || me.ID != pupil.UserID() {
		t.Errorf("user/me: %v", err)
	}
	for _, params := range []url.Values{{}, {"timezone": {"utc"}, "columns": {"1,500"}}} {
		resp, err := pupil.Do(ctx, appsuite.Request{Module: "user", Action: "get", Params: params})
		if err != nil || !bytes.Contains(resp.Data, []byte("Eva Tester")) {
			t.Errorf("own data with %v: %v", params, err)
		}
	}
	if _, err := pupil.Capabilities(ctx); err != nil {
		t.Errorf("capabilities: %v", err)
	}
	var own appsuite.FolderID
	for f, err := range pupil.VisibleFolders(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == appsuite.PrivateType {
			own = f.ID
		}
	}
	if entries, err := appsuite.Collect(pupil.Contacts(ctx, book, appsuite.DisplayName, appsuite.Email1)); err != nil ||
		len(entries) != 1 || entries[0].Fields[appsuite.Email1] == "" {
		t.Errorf("the address book: %v, %v", entries, err)
	}
	// Own contacts, one by one and many packed into one request.
	id, ts, err := pupil.CreateContact(ctx, appsuite.CreateContact{Folder: own,
		Fields: appsuite.Fields{appsuite.DisplayName: "Tante", appsuite.Note: "user group 100%"}})
	if err != nil {
		t.Fatal(err)
	}
	if ts, err = pupil.UpdateContact(ctx, appsuite.UpdateContact{Folder: own, ID: id, Timestamp: ts,
		Fields: appsuite.Fields{appsuite.DisplayName: "Gotte"}}); err != nil {
		t.Errorf("change: %v", err)
	}
	if err := pupil.DeleteContacts(ctx, own, ts, id); err != nil {
		t.Errorf("delete: %v", err)
	}
	var many []appsuite.Op
	for i := range 90 { // some 15 kB
		many = append(many, appsuite.CreateContact{Folder: own,
			Fields: appsuite.Fields{appsuite.DisplayName: fmt.Sprintf("Größe „%d“ \\ 100%% user", i),
				appsuite.Note: "action=all"}})
	}
	results, err := pupil.Write(ctx, many)
	if err != nil {
		t.Errorf("many at once: %v", err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("one of many: %v", r.Err)
		}
	}
	found := 0
	search := appsuite.Request{Module: "contacts", Action: "search", Params: url.Values{"columns": {"1,500"}},
		Body: map[string]any{"pattern": "Gr*", "folder": []string{string(own)}}, ReadOnly: true}
	if resp, err := pupil.Do(ctx, search); err != nil {
		t.Errorf("search: %v", err)
	} else if found = bytes.Count(resp.Data, []byte("Größe")); found != 90 {
		t.Errorf("search finds %d", found)
	}
	auto := appsuite.Request{Module: "contacts", Action: "autocomplete",
		Params: url.Values{"query": {"Grö 100%"}, "email": {"false"}, "columns": {"1,500"}}}
	if _, err := pupil.Do(ctx, auto); err != nil {
		t.Errorf("autocomplete: %v", err)
	}
	// Files of the web client are none of the proxy's business.
	for _, path := range []string{"/appsuite/v=8/io.ox/core/api/user.js",
		"/appsuite/apps/load/8,io.ox/core/api/account.js,io.ox/contacts/main.js", "/appsuite/group/user", "/user",
		"/usergroup/x"} {
		if status, _ := p.raw(t, ordinaryAddress, nil, http.MethodGet, path, "",
			nil); status != http.StatusNotFound { // the simulator has none
			t.Errorf("%s: status %d", path, status)
		}
	}
}

// longBody is more than a client has written before a proxy can answer.
const longBody = 60_000

// raw sends a request as it stands.
func (p *proxy) raw(t *testing.T, address string, jar http.CookieJar, method, path, body string,
	header http.Header) (int, string) {
	t.Helper()
	tr := p.transport(address)
	defer tr.CloseIdleConnections()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
		if header.Get("Transfer-Encoding") == "chunked" {
			content = io.MultiReader(content) // of unknown length
		}
	}
	u := &url.URL{Scheme: "http", Host: "ox.invalid", Opaque: "//ox.invalid" + path}
	rq, err := http.NewRequestWithContext(t.Context(), method, "http://ox.invalid/", content)
	if err != nil {
		t.Fatal(err)
	}
	rq.URL = u
	for k, v := range header {
		if k != "Transfer-Encoding" {
			rq.Header[k] = v
		}
	}
	rq.Header.Set("User-Agent", "tricks/1")
	if jar != nil {
		for _, c := range jar.Cookies(&url.URL{Scheme: "http", Host: "ox.invalid", Path: "/"}) {
			rq.AddCookie(c)
		}
	}
	resp, err := (&http.Client{Transport: tr, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(rq)
	if len(body) > longBody && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
		return http.StatusForbidden, "" // refused and closed while the body was still on its way
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if jar != nil {
		jar.SetCookies(&url.URL{Scheme: "http", Host: "ox.invalid", Path: "/"}, resp.Cookies())
	}
	return resp.StatusCode, string(b)
}

// What somebody could try to get past the rules.
func testTricks(t *testing.T, p *proxy, bodies bool) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	status, body := p.raw(t, ordinaryAddress, jar, http.MethodPost, "/ajax/login?action=login",
		"name=eva%40primar&password=secret&client=tricks", form)
	_, id, _ := strings.Cut(body, `"session":"`)
	id, _, _ = strings.Cut(id, `"`)
	if status != http.StatusOK || len(id) != 32 {
		t.Fatalf("login: %d %s", status, body)
	}
	const cols = "&columns=1,500,555"
	s := "&session=" + id
	if status, body := p.raw(t, trustedAddress, jar, http.MethodGet, "/ajax/user?action=all"+cols+s, "",
		nil); status != http.StatusOK || !strings.Contains(body, "Anna") {
		t.Fatalf("from the trusted address the list is not there; the rest would prove nothing: %d %s", status, body)
	}
	type trick struct{ method, path, body string }
	tricks := []trick{}
	for _, path := range []string{
		"/ajax/user?action=all" + cols + s,
		"/ajax/user?x=1&action=all" + cols + s,
		"/ajax/user?session=" + id + cols + "&action=all",
		"/ajax/user?action=%61ll" + cols + s,
		"/ajax/user?%61ction=all" + cols + s,
		"/ajax/user?Action=get&action=all" + cols + s,
		"/ajax/user?action=all&action=get" + cols + s,
		"/ajax/user?action=get&action=all" + cols + s,
		"/ajax/user?action=get&id=5" + s,
		"/ajax/user?action=get&%69d=5" + s,
		"/ajax/user?id=5&action=get" + s,
		"/ajax/user?action=get" + s + "?id=5",
		"/ajax/%75ser?action=all" + cols + s,
		"/ajax/user/?action=all" + cols + s,
		"/ajax//user?action=all" + cols + s,
		"//ajax/user?action=all" + cols + s,
		"/ajax/./user?action=all" + cols + s,
		"/./ajax/user?action=all" + cols + s,
		"/ajax/x/../user?action=all" + cols + s,
		"/x/../ajax/user?action=all" + cols + s,
		"/ajax/x/..;/user?action=all" + cols + s,
		"/ajax/%2e/user?action=all" + cols + s,
		"/ajax/%2fuser?action=all" + cols + s,
		"/ajax;x=y/user?action=all" + cols + s,
		"/ajax/user;jsessionid=1?action=all" + cols + s,
		"/ajax/;x/user?action=all" + cols + s,
		"/ajax/user/me/../../user?action=all" + cols + s,
		"/appsuite/api/user?action=all" + cols + s,
		"/appsuite;a/./api;b//user?action=all" + cols + s,
		"/ajax/group?action=all&columns=1,700,701,702" + s,
		"/ajax/group?action=get&id=0" + s,
		"/ajax/halo/contact?action=investigate&provider=com.openexchange.halo.contacts&email1=anna.muster@primar.example" + s,
		"/ajax/contacts?action=getuser&id=5" + s,
		"/ajax/contacts?action=getuse%72&id=5" + s,
		"/ajax/contacts?actio%6e=getuser&id=5" + s,
		"/ajax/contacts?action=all&action=getuser&id=5" + s,
		"/ajax/contacts/?action=getuser&id=5" + s,
		"/ajax/contacts;x?action=getuser&id=5" + s,
	} {
		tricks = append(tricks, trick{http.MethodGet, path, ""})
	}
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodPost, http.MethodOptions, "get"} {
		tricks = append(tricks, trick{method, "/ajax/user?action=all" + cols + s, ""})
	}
	tricks = append(tricks,
		trick{http.MethodPut, "/ajax/user?action=search" + cols + s, `{"pattern":"*"}`},
		trick{http.MethodPut, "/ajax/user?action=list" + cols + s, `[2,3,4,5]`},
		trick{http.MethodPut, "/ajax/user?action=update&Action=x&action=list" + cols + s, `[2,3,4,5]`},
		trick{http.MethodPut, "/ajax/contacts?action=listuser" + cols + s, `[2,3,4,5]`},
		trick{http.MethodPut, "/ajax/group?action=search" + s, `{"pattern":"*"}`},
		trick{http.MethodPost, "/ajax/user?session=" + id, "action=all" + cols},
		trick{http.MethodPost, "/ajax/contacts?session=" + id, "action=getuser&id=5"},
		trick{http.MethodPost, "/ajax/contacts", "action=getuser&id=5" + s},
	)
	// A path with an encoded question mark is no path of OX.
	if status, body := p.raw(t, ordinaryAddress, jar, http.MethodGet,
		"/ajax/user%3Faction=get&session=x?action=all"+cols+s, "", nil); status < 400 || strings.Contains(body, "Anna") {
		t.Errorf("encoded question mark: %d", status)
	}
	item := `{"module":"user","action":"all","columns":"1,500,555"}`
	if bodies {
		padding := `{"module":"contacts","action":"all","x":"` + strings.Repeat("x", 90_000) + `"}`
		for _, body := range []string{
			"[" + item + "]",
			"[" + strings.ReplaceAll(item, ":", " :\n\t ") + "]",
			`[{"module":"\u0075ser","action":"all","columns":"1,500"}]`,
			`[{"mod\u0075le":"user","action":"all","columns":"1,500"}]`,
			`[{"module":"mail","module":"user","action":"all","columns":"1,500"}]`,
			`[{"module":"contacts","action":"getuser","id":5}]`,
			`[{"module":"group","action":"all","columns":"1,700"}]`,
			`[{"module":"halo\/contact","action":"investigate"}]`,
			"[" + padding + "," + item + "]",
		} {
			tricks = append(tricks, trick{http.MethodPut, "/ajax/multiple?continue=true" + s, body},
				trick{http.MethodPut, "/ajax/./multiple/?continue=true" + s, body})
		}
	}
	refused := func(tr trick, header http.Header) {
		t.Helper()
		status, body := p.raw(t, ordinaryAddress, jar, tr.method, tr.path, tr.body, header)
		// nginx itself refuses what is no request (400, 405).
		if status != http.StatusForbidden && status != http.StatusBadRequest && status != http.StatusMethodNotAllowed ||
			strings.Contains(body, "Anna") || strings.Contains(body, "Klasse_7b") {
			short := tr.body[:min(len(tr.body), 80)]
			t.Errorf("%s %s %s: status %d", tr.method, strings.ReplaceAll(tr.path, id, "ID"), short, status)
		}
	}
	for _, tr := range tricks {
		header := http.Header{"Content-Type": {"application/json"}}
		if tr.method == http.MethodPost {
			header = form
		}
		refused(tr, header)
	}
	if bodies {
		multiple := trick{http.MethodPut, "/ajax/multiple?continue=true" + s, "[" + item + "]"}
		refused(multiple, http.Header{"Transfer-Encoding": {"chunked"}})
		var wide strings.Builder
		for _, r := range multiple.body {
			wide.WriteString("\x00" + string(r))
		}
		multiple.body = wide.String()
		refused(multiple, http.Header{"Content-Type": {"application/json; charset=UTF-16BE"}})
		refused(multiple, http.Header{"Content-Encoding": {"gzip"}})
	}
}
