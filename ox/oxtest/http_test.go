package oxtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// school is a server with two contexts: 17 with a service account "books", a
// teacher "mia" (who sees the global address book) and a pupil "tim" (who does
// not), and 18 with a user of the same name.
func school(t *testing.T, opts ...oxtest.Option) *oxtest.Server {
	t.Helper()
	s := oxtest.New(opts...)
	t.Cleanup(func() { s.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []oxtest.Context{{ID: 17, Name: "school17", Access: "all"}, {ID: 18, Name: "school18"}} {
		must(s.State().AddContext(c))
	}
	add := func(cid int, u oxtest.User) {
		t.Helper()
		_, err := s.State().AddUser(schoolmail.ContextID(cid), u)
		must(err)
	}
	add(17, oxtest.User{Name: "books", DisplayName: "Books", Access: "groupware_standard"})
	add(17, oxtest.User{Name: "mia", DisplayName: "Mia Muster", GivenName: "Mia", Surname: "Muster",
		Access: "groupware_standard",
		Fields: map[string]string{"telephone_business1": "031 1", "department": "staff"}})
	add(17, oxtest.User{Name: "tim", DisplayName: "Tim Tester", GivenName: "Tim", Surname: "Tester", Access: "pim"})
	add(18, oxtest.User{Name: "mia", DisplayName: "Mia Other", Password: "other"})
	return s
}

// browser is an HTTP client of the simulated API.
type browser struct {
	t       *testing.T
	client  *http.Client
	agent   string
	session string
	uid     int
}

func newBrowser(t *testing.T, s *oxtest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := s.HTTPClient()
	c.Jar = jar
	return &browser{t: t, client: c, agent: "test/1"}
}

// object is a JSON answer.
type object map[string]any

func (o object) code() string { s, _ := o["code"].(string); return s }

func (b *browser) do(method, path string, params url.Values, contentType string, body []byte) (int, http.Header,
	[]byte) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://ox.example/ajax/"+path+"?"+params.Encode(),
		bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("User-Agent", b.agent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, got
}

func (b *browser) login(name, password string) object {
	b.t.Helper()
	form := url.Values{"name": {name}, "password": {password}, "client": {"tests"}}
	status, _, body := b.do("POST", "login", url.Values{"action": {"login"}}, "application/x-www-form-urlencoded",
		[]byte(form.Encode()))
	if status != 200 {
		return object{"code": fmt.Sprintf("status %d", status)}
	}
	o := b.parse(body)
	if s, ok := o["session"].(string); ok {
		b.session = s
		b.uid = int(o["user_id"].(float64))
	}
	return o
}

func (b *browser) parse(body []byte) object {
	b.t.Helper()
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		b.t.Fatalf("no JSON: %s", body)
	}
	return o
}

// as logs a user of context 17 in.
func as(t *testing.T, s *oxtest.Server, name string) *browser {
	t.Helper()
	b := newBrowser(t, s)
	if o := b.login(name+"@school17", "secret"); b.session == "" {
		t.Fatalf("login of %s: %v", name, o)
	}
	return b
}

// call makes a JSON call; args are parameters as "name=value", a last one that
// begins with { or [ is the body.
func (b *browser) call(op string, args ...string) object {
	b.t.Helper()
	module, action, _ := strings.Cut(op, " ")
	params := url.Values{"session": {b.session}}
	if action != "" {
		params.Set("action", action)
	}
	method, body := "GET", ""
	for _, a := range args {
		if strings.HasPrefix(a, "{") || strings.HasPrefix(a, "[") {
			method, body = "PUT", a
			continue
		}
		k, v, _ := strings.Cut(a, "=")
		params.Set(k, v)
	}
	status, _, got := b.do(method, module, params, "", []byte(body))
	if status != 200 {
		return object{"code": fmt.Sprintf("status %d", status)}
	}
	if strings.HasPrefix(string(got), "[") {
		var list []any
		if err := json.Unmarshal(got, &list); err != nil {
			b.t.Fatal(err)
		}
		return object{"data": list}
	}
	return b.parse(got)
}

// ok is call for what must succeed.
func (b *browser) ok(op string, args ...string) object {
	b.t.Helper()
	o := b.call(op, args...)
	if o.code() != "" {
		b.t.Fatalf("%s %v: %v", op, args, o)
	}
	return o
}

func (b *browser) want(code, op string, args ...string) {
	b.t.Helper()
	if got := b.call(op, args...).code(); got != code {
		b.t.Errorf("%s %v: got %q, want %q", op, args, got, code)
	}
}

func (o object) rows() [][]any {
	var out [][]any
	list, _ := o["data"].([]any)
	for _, r := range list {
		row, _ := r.([]any)
		out = append(out, row)
	}
	return out
}

func (o object) id() string {
	switch d := o["data"].(type) {
	case string:
		return d
	case map[string]any:
		return fmt.Sprint(d["id"])
	}
	return ""
}

func (o object) timestamp() string { return fmt.Sprintf("%.0f", o["timestamp"]) }

// folder makes a public folder that everybody may read.
func (b *browser) folder(title string) string {
	b.t.Helper()
	return b.ok("folders new", "folder_id=2", fmt.Sprintf(`{"folder":{"module":"contacts","title":%q,"permissions":[
		{"entity":%d,"group":false,"bits":403710016},{"entity":0,"group":true,"bits":257}]}}`, title, b.uid)).id()
}

func (b *browser) contact(folder, fields string) (id, timestamp string) {
	b.t.Helper()
	o := b.ok("contacts new", fmt.Sprintf(`{"folder_id":%q,%s}`, folder, fields))
	return o.id(), o.timestamp()
}

func (b *browser) upload(path, folder, text string, extra ...string) (int, string) {
	b.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "x.csv")
	if err != nil {
		b.t.Fatal(err)
	}
	io.WriteString(part, text)
	w.Close()
	params := url.Values{"action": {"CSV"}, "session": {b.session}, "folder": {folder}}
	for _, e := range extra {
		k, v, _ := strings.Cut(e, "=")
		params.Set(k, v)
	}
	status, _, body := b.do("POST", path, params, w.FormDataContentType(), form.Bytes())
	return status, string(body)
}

func TestHTTPLogin(t *testing.T) {
	t.Parallel()
	s := school(t)
	for name, tc := range map[string]struct{ user, password, code string }{
		"by name of context":    {"mia@school17", "secret", ""},
		"by number of context":  {"mia@17", "secret", ""},
		"other context":         {"mia@school18", "other", ""},
		"wrong password":        {"mia@school17", "x", "LGI-0006"},
		"password of the other": {"mia@school17", "other", "LGI-0006"},
		"unknown context":       {"mia@nowhere", "secret", "LGI-0006"},
		"unknown user":          {"bob@school17", "secret", "LGI-0006"},
		"case of the user":      {"Mia@school17", "secret", "LGI-0006"},
		"no context":            {"mia", "secret", "LGI-0006"},
		"no password":           {"mia@school17", "", "SVL-0002"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, s)
			if got := b.login(tc.user, tc.password).code(); got != tc.code {
				t.Errorf("got %q, want %q", got, tc.code)
			}
			if tc.code == "" && len(b.session) != 32 {
				t.Errorf("session %q", b.session)
			}
		})
	}
	b := newBrowser(t, s)
	if _, _, body := b.do("POST", "login", url.Values{"action": {"login"}, "password": {"secret"}}, "",
		nil); b.parse(body).code() != "SVL-0030" {
		t.Errorf("password in the address: %s", body)
	}
	b.agent = "tests"
	if got := b.login("mia@17", "secret").code(); got != "LGI-0021" {
		t.Errorf("client that is the User-Agent: %q", got)
	}
}

func TestHTTPSessionBinding(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "mia")
	b.ok("user/me")
	jar := b.client.Jar
	b.agent = "test/2"
	b.want("SES-0203", "user/me")
	b.agent = "test/1"
	b.client.Jar = nil
	b.want("SES-0203", "user/me")
	b.client.Jar = jar
	b.ok("user/me")
	b.want("SES-0203", "user/me", "session=0123456789abcdef0123456789abcdef")
	b.want("SVL-0002", "user/me", "session=")
	if status, _, body := b.do("GET", "export", url.Values{"action": {"CSV"}, "folder": {"6"}, "session": {"x"}}, "",
		nil); status != 403 || bytes.Contains(body, []byte("{")) {
		t.Errorf("export without session: %d %s", status, body)
	}
	b.do("GET", "login", url.Values{"action": {"logout"}, "session": {b.session}}, "", nil)
	b.want("SES-0203", "user/me")
	if s.OpenSessions() != 0 {
		t.Errorf("%d sessions are open", s.OpenSessions())
	}
	for range 100 {
		as(t, s, "mia")
	}
	if got := newBrowser(t, s).login("mia@17", "secret").code(); got != "SES-0007" {
		t.Errorf("101st session: %q", got)
	}
	as(t, s, "tim") // counted per user
}

func TestHTTPIdleSessionExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := as(t, school(t), "mia")
		time.Sleep(59 * time.Minute)
		b.ok("user/me")
		time.Sleep(59 * time.Minute)
		b.ok("user/me")
		time.Sleep(61 * time.Minute)
		b.want("SES-0203", "user/me")
	})
}

func TestHTTPDisabled(t *testing.T) {
	t.Parallel()
	s := oxtest.New()
	t.Cleanup(func() { s.Close() })
	if err := s.State().AddContext(oxtest.Context{ID: 9, Name: "off", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	if got := newBrowser(t, s).login("oxadmin@9", "secret").code(); got != "AUTHORIZATION-0001" {
		t.Errorf("got %q", got)
	}
}

func TestHTTPRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := school(t)
		b := as(t, s, "mia")
		for i := range 1499 {
			if got := b.call("user/me").code(); got != "" {
				t.Fatalf("request %d: %s", i+2, got)
			}
		}
		status, header, body := b.do("GET", "user/me", url.Values{"session": {b.session}}, "", nil)
		if status != 429 || header.Get("Retry-After") != "300" || !strings.HasPrefix(string(body), "<html>") {
			t.Errorf("request 1501: %d %v %s", status, header, body)
		}
		other := newBrowser(t, s)
		other.agent = "test/2"
		if got := other.login("mia@17", "secret").code(); got != "" {
			t.Errorf("another User-Agent: %s", got)
		}
		time.Sleep(5 * time.Minute)
		b.ok("user/me")
	})
}

func TestHTTPLoginLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBrowser(t, school(t))
		for range 70 {
			if got := b.login("tim@17", "secret").code(); got != "" {
				t.Fatalf("a good login was refused: %s", got)
			}
		}
		for range 50 {
			if got := b.login("mia@17", "wrong").code(); got != "LGI-0006" {
				t.Fatalf("got %s", got)
			}
		}
		if got := b.login("mia@17", "secret").code(); got != "status 429" {
			t.Errorf("a good login after 50 bad ones: %s", got)
		}
		b.agent = "test/2"
		if got := b.login("mia@17", "secret").code(); got != "" {
			t.Errorf("with another User-Agent: %s", got)
		}
		b.agent = "test/1"
		time.Sleep(5 * time.Minute)
		if got := b.login("mia@17", "secret").code(); got != "" {
			t.Errorf("after five minutes: %s", got)
		}
	})
}

func TestHTTPOddRequests(t *testing.T) {
	t.Parallel()
	b := as(t, school(t), "mia")
	b.want("status 404", "nothing all")
	b.want("SVL-0001", "contacts nothing")
	b.want("SVL-0002", "contacts")
	b.want("status 400", "multiple", `{"module":"user"}`)
	b.want("SVL-0002", "folders list", "parent=2")
	b.want("SVL-0002", "folders list", "columns=1")
	b.want("FLD-1031", "folders get", "id=2", "tree=7")
	b.want("FLD-1025", "folders get", "id=x")
	b.want("FLD-0008", "folders get", "id=4711")
	var big []string
	for i := range 2501 {
		big = append(big, fmt.Sprintf(`"x%d":1`, i))
	}
	b.want("SVL-0011", "contacts new", "{"+strings.Join(big, ",")+"}")
}

func TestHTTPMultipleGoesOn(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "books")
	f := b.folder("Class")
	o := b.ok("multiple", fmt.Sprintf(`[
		{"module":"contacts","action":"new","data":{"folder_id":%[1]q,"display_name":"A"}},
		{"module":"contacts","action":"get","folder":%[1]q,"id":"99999"},
		{"module":"nothing","action":"get"},
		{"module":"import","action":"CSV","folder":%[1]q},
		{"module":"contacts","action":"new","data":{"folder_id":%[1]q,"display_name":"B"}}]`, f))
	var codes []string
	for _, e := range o["data"].([]any) {
		codes = append(codes, object(e.(map[string]any)).code())
	}
	if got, want := fmt.Sprint(codes), "[ CON-0125 SVL-0007 SVL-0007 ]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n := len(b.ok("contacts all", "folder="+f, "columns=1").rows()); n != 2 {
		t.Errorf("%d contacts", n)
	}
	var inside, whole int
	for _, c := range s.HTTPCalls() {
		if c.Multiple {
			inside++
		}
		if c.Op == "multiple" {
			whole++
		}
	}
	if inside != 5 || whole != 1 {
		t.Errorf("recorded %d items in %d calls", inside, whole)
	}
}

func TestHTTPFaults(t *testing.T) {
	t.Parallel()
	s := school(t)
	b := as(t, s, "books")
	f := b.folder("Class")
	once := func(x oxtest.Failure) {
		s.Inject(oxtest.Fault{Service: "http", Op: "contacts new", Context: 17, Times: 1, Failure: x})
	}
	body := fmt.Sprintf(`{"folder_id":%q,"display_name":"A"}`, f)
	count := func() int { return len(b.ok("contacts all", "folder="+f, "columns=1").rows()) }
	once(oxtest.Failure{Status: 503})
	b.want("status 503", "contacts new", body)
	once(oxtest.Failure{Status: 429})
	b.want("status 429", "contacts new", body)
	once(oxtest.Failure{Kind: "CON-9999", Message: "x"})
	b.want("CON-9999", "contacts new", body)
	if n := count(); n != 0 {
		t.Errorf("%d contacts after calls that were not carried out", n)
	}
	for _, x := range []oxtest.Failure{{ResetBefore: true}, {ResetAfter: true}} {
		once(x)
		req, err := http.NewRequest("PUT", "http://ox.example/ajax/contacts?action=new&session="+b.session,
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", b.agent)
		if resp, err := b.client.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("%+v: answered %d", x, resp.StatusCode)
		}
	}
	if n := count(); n != 1 {
		t.Errorf("%d contacts, want the one whose answer was lost", n)
	}
	if n := s.Counts()["http.contacts new"]; n != 5 {
		t.Errorf("%d calls counted", n)
	}
}
