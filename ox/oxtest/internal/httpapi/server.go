// Package httpapi answers the HTTP API and CardDAV of a simulated Open-Xchange from what
// package state holds.
package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
)

// Options set how the simulated HTTP API behaves. The zero value is OX App
// Suite 8.19 with the configuration it ships with.
type Options struct {
	// Prefix is the path of the API. Default "/ajax/".
	Prefix string

	// FuzzyImport makes CSV imports match rows with stored contacts by name,
	// address, phone and birthday, as releases 7.8 to 7.10 do: a match is
	// overwritten. Otherwise every row is a new contact, as in 8.19.
	FuzzyImport bool

	// ImportLimit is the number of rows an import may have, 0 for no limit. Like
	// OX, the simulator writes one row more and drops the rest silently, and counts
	// lines: a line break within a cell makes the cut come earlier, perhaps amid a row.
	ImportLimit int

	// NumberIDs writes contact ids as numbers, as older releases do.
	NumberIDs bool

	// PlainFolderIDs switches off ids such as "con://0/33" (before 7.10.6).
	PlainFolderIDs bool

	// HideMail leaves the mail address out of what users see of each other with
	// the global address book closed.
	HideMail bool

	// Rate is the number of requests per address and User-Agent in any
	// RateWindow; default 1500 in five minutes. Negative: no limit.
	Rate       int
	RateWindow time.Duration

	// FailedLogins is the number of refused logins per address and User-Agent in
	// any RateWindow after which logins are locked; default 50. Negative: no limit.
	FailedLogins int

	// MaxSessions is the number of sessions per user, default 100.
	MaxSessions int

	// SessionLife ends sessions that were idle so long; default one hour.
	SessionLife time.Duration

	// ContactQuota is the number of contacts per context, default 250,000. The
	// users' own entries count.
	ContactQuota int

	// Latency is the time that every request takes before it does its work.
	Latency time.Duration

	// Missing are modules that the server does not have, for example "find": calls
	// of them are answered with status 404.
	Missing []string

	// MasterPassword, if set, opens a session as any user who is not closed, as the
	// package for authentication by a master password does.
	MasterPassword string

	// Version is reported to clients that ask for it. Default "8.19.0".
	Version string
}

func (o *Options) defaults() {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&o.Rate, 1500)
	def(&o.FailedLogins, 50)
	def(&o.MaxSessions, 100)
	def(&o.ContactQuota, 250_000)
	if o.RateWindow == 0 {
		o.RateWindow = 5 * time.Minute
	}
	if o.SessionLife == 0 {
		o.SessionLife = time.Hour
	}
	if o.Version == "" {
		o.Version = "8.19.0"
	}
	if o.Prefix == "" {
		o.Prefix = "/ajax/"
	}
}

// API serves the HTTP API on a State.
type API struct {
	traffic *traffic.Traffic
	dir     directory
	Options Options

	mu       sync.Mutex // guards what follows; taken after the state's lock, or alone
	sessions map[string]*session
	requests map[string]*slidingWindow
	failures map[string]*slidingWindow
	serial   int64 // incidents and secrets
	authIDs  map[string]bool

	calls []Call
}

// Call is a call of the HTTP API as recorded. Items of "multiple" are
// recorded one by one after the request that carried them.
type Call struct {
	Op       string               // module and action
	Context  schoolmail.ContextID // 0 before login
	User     schoolmail.UserID
	Params   map[string]string // without session and password
	Body     string            // of JSON calls, not of "multiple" itself
	Status   int               // HTTP
	Code     string            // OX's code of an error or warning, e.g. "CON-0119"
	Multiple bool              // came inside a "multiple"
}

func New(w *state.World, t *traffic.Traffic) *API {
	a := &API{traffic: t, dir: directory{w}, sessions: map[string]*session{}, requests: map[string]*slidingWindow{},
		failures: map[string]*slidingWindow{}, authIDs: map[string]bool{}}
	a.Configure(Options{})
	return a
}

func (a *API) Configure(o Options) {
	o.defaults()
	a.Options = o
}

// reply is the outcome of a call. If raw is set it is the whole answer.
type reply struct {
	data      any
	timestamp int64
	warning   *failure
	raw       *rawReply
}

type rawReply struct {
	status      int
	contentType string
	body        []byte
}

// jsonReply is a value as the whole answer; one that is no JSON is an error of the server.
func jsonReply(v any) *rawReply {
	body, err := json.Marshal(v)
	if err != nil {
		return htmlPage(http.StatusInternalServerError)
	}
	return &rawReply{http.StatusOK, "application/json; charset=UTF-8", body}
}

func htmlPage(status int) *rawReply {
	text := http.StatusText(status)
	return &rawReply{status, "text/html; charset=UTF-8",
		[]byte("<html><head><title>" + strconv.Itoa(status) + " " + text + "</title></head><body><h1>" + text +
			"</h1></body></html>")}
}

// request is one call: a request, or an item of "multiple".
type request struct {
	api            *API
	module, action string
	params         map[string]string
	body           []byte
	multipart      *http.Request // of an upload
	who            caller
	inMultiple     bool
	rec            *traffic.Call
}

// caller is the logged-in account.
type caller struct {
	cid, uid int
	user     userView
	groups   []int
	context  contextView
	pim      *state.PIM
}

func (rq *request) op() string { return strings.TrimSpace(rq.module + " " + rq.action) }

func (rq *request) need(name string) (string, *failure) {
	v, ok := rq.params[name]
	if !ok || v == "" {
		return "", missingParameter(name)
	}
	return v, nil
}

// decode reads the JSON body. OX refuses objects with more than 2500 members.
func (rq *request) decode(v any) *failure {
	if len(bytes.TrimSpace(rq.body)) == 0 {
		return missingParameter("data")
	}
	const maxMembers, shortest = 2500, 6 // a member has at least six bytes: "":1,
	if len(rq.body) > maxMembers*shortest {
		var members map[string]json.RawMessage
		if json.Unmarshal(rq.body, &members) == nil && len(members) > maxMembers {
			return unexpected("JSON object has too many attributes")
		}
	}
	d := json.NewDecoder(bytes.NewReader(rq.body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return oxErr("SVL-0019", catInput, "Invalid JSON in the request body")
	}
	return nil
}

type action func(*request) (reply, *failure)

// actions are the calls of JSON modules.
var actions = func() map[string]action {
	m := map[string]action{}
	for _, part := range []map[string]action{folderActions, contactActions, userActions, otherActions, moduleActions} {
		maps.Copy(m, part)
	}
	return m
}()

func knownModule(name string) bool {
	for op := range actions {
		if m, _, _ := strings.Cut(op, " "); m == name {
			return true
		}
	}
	return false
}

// ServeHTTP answers a request of the HTTP API, or of CardDAV.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{api: a, params: map[string]string{}}
	var dav string
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, a.Options.Prefix):
		rq.module = strings.Trim(strings.TrimPrefix(path, a.Options.Prefix), "/")
		for k, v := range r.URL.Query() {
			rq.params[k] = v[0]
		}
		if rq.action = rq.params["action"]; rq.module == "user/me" {
			rq.action = ""
		}
	case strings.HasPrefix(path, "/carddav/"), strings.HasPrefix(path, "/servlet/dav/carddav/"):
		_, dav, _ = strings.Cut(path, "/carddav/")
		rq.module, rq.action = "carddav", r.Method
	default:
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	if rq.body = body; strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		rq.multipart = r
	}
	rec := &traffic.Call{Service: "http", Op: "?", Request: int64(len(body))}
	if known(rq) {
		rec.Op = rq.op()
	}
	sess, problem := a.session(r, rq.params["session"])
	if problem == nil {
		rec.Context = schoolmail.ContextID(sess.cid)
	}
	a.traffic.Log.Begin(rec)
	out := &traffic.AnswerWriter{W: w}
	rq.rec = rec
	defer func() {
		rec.Response = out.N
		a.traffic.Log.End(rec)
	}()
	if !a.admit(r) {
		a.refuse(out, rq)
		return
	}
	fail := a.traffic.Faults.Failure(rec)
	if !traffic.Sleep(a.traffic.Closed, fail.Delay+a.Options.Latency) {
		panic(http.ErrAbortHandler)
	}
	switch {
	case fail.ResetBefore:
		rec.Outcome = "reset before"
		panic(http.ErrAbortHandler)
	case fail.Status == http.StatusTooManyRequests:
		a.refuse(out, rq)
		return
	case fail.Status != 0:
		a.write(out, rq, reply{raw: htmlPage(fail.Status)}, nil)
		return
	case fail.Kind != "":
		a.write(out, rq, reply{}, oxErr(fail.Kind, catTryAgain, "%s", fail.Message))
		return
	}
	if fail.ResetAfter {
		defer func() {
			rec.Outcome = "reset after"
			panic(http.ErrAbortHandler)
		}()
		out.W = nowhere{http.Header{}}
	}
	out.Limit, out.Pause, out.Ctx = fail.Truncate, fail.SlowBody, a.traffic.Closed
	switch {
	case len(body) > maxBody:
		a.write(out, rq, reply{raw: htmlPage(http.StatusInternalServerError)}, nil)
	case rq.module == "login":
		a.loginModule(out, r, rq)
	case rq.module == "carddav":
		a.carddav(out, r, rq, dav)
	case !knownModule(rq.module), slices.Contains(a.Options.Missing, rq.module):
		a.write(out, rq, reply{raw: &rawReply{status: http.StatusNotFound}}, nil)
	case problem != nil && (rq.module == "export" || rq.module == "contacts/picture"):
		a.write(out, rq, reply{raw: htmlPage(http.StatusForbidden)}, nil)
	case problem != nil:
		a.write(out, rq, reply{}, problem)
	default:
		unlock := a.dir.lock()
		reply, problem := a.perform(rq, sess)
		unlock()
		a.write(out, rq, reply, problem)
	}
}

const maxBody = 100 << 20

// nowhere swallows an answer that gets lost.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

func known(rq *request) bool {
	return actions[rq.op()] != nil || rq.module == "multiple" || rq.module == "login" || rq.module == "carddav"
}

// perform carries out a call in a session; the state is locked.
func (a *API) perform(rq *request, sess *session) (reply, *failure) {
	who, problem := a.caller(sess)
	if problem != nil {
		return reply{}, problem
	}
	rq.who = who
	if rq.module == "multiple" {
		return multiple(rq)
	}
	return rq.dispatch()
}

// dispatch carries out a call whose caller is known.
func (rq *request) dispatch() (reply, *failure) {
	do, ok := actions[rq.op()]
	if !ok {
		if rq.action == "" {
			return reply{}, missingParameter("action")
		}
		return reply{}, oxErr("SVL-0001", catError, "Unknown action %q.", rq.action)
	}
	return do(rq)
}

// caller looks up the account of a session.
func (a *API) caller(sess *session) (caller, *failure) {
	if a.dir.locked(state.Itoa(sess.cid)) {
		return caller{}, underMaintenance()
	}
	ctx, ok := a.dir.context(sess.cid)
	if !ok || !ctx.enabled {
		a.EndSessions(sess.cid)
		return caller{}, oxErr("SES-0204", catTryAgain, "Context is locked.")
	}
	u, ok := a.dir.user(sess.cid, sess.uid)
	if !ok {
		return caller{}, sessionExpired()
	}
	ctx.pim.EnsureUser(sess.uid)
	return caller{sess.cid, sess.uid, u, a.dir.groupsOf(sess.cid, sess.uid), ctx, ctx.pim}, nil
}

// write sends the answer of a call.
func (a *API) write(w http.ResponseWriter, rq *request, reply reply, problem *failure) {
	if reply.raw != nil {
		if reply.raw.status >= 400 {
			rq.rec.Outcome = "status " + strconv.Itoa(reply.raw.status)
		}
		a.record(rq, reply.raw.status, "")
		if reply.raw.contentType != "" {
			w.Header().Set("Content-Type", reply.raw.contentType)
		}
		w.WriteHeader(reply.raw.status)
		w.Write(reply.raw.body)
		return
	}
	if problem != nil {
		rq.rec.Outcome = problem.code
	}
	a.record(rq, http.StatusOK, code(reply, problem))
	answer := jsonReply(a.envelope(reply, problem))
	contentType, body := answer.contentType, answer.body
	if rq.module == "import" && rq.params["force_json_response"] != "true" && rq.params["plainJson"] != "true" {
		contentType = "text/html; charset=UTF-8"
		body = slices.Concat([]byte("<!DOCTYPE html><html><head><script type=\"text/javascript\">"+
			"(parent[\"callback_import\"] || window.opener && window.opener[\"callback_import\"])("),
			body, []byte(")</script></head></html>"))
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(answer.status)
	w.Write(body)
}

func code(reply reply, problem *failure) string {
	switch {
	case problem != nil:
		return problem.code
	case reply.warning != nil:
		return reply.warning.code
	}
	return ""
}

// envelope is the JSON object around an answer.
func (a *API) envelope(reply reply, problem *failure) map[string]any {
	if problem != nil {
		return problem.envelope(a.next())
	}
	m := map[string]any{}
	if reply.warning != nil {
		m = reply.warning.envelope(a.next())
	}
	m["data"] = reply.data
	if reply.timestamp != 0 {
		m["timestamp"] = reply.timestamp
	}
	return m
}

func (a *API) next() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	return a.serial
}

// record keeps a call for the public face.
func (a *API) record(rq *request, status int, code string) {
	if a.traffic.Log.Off {
		return
	}
	params := maps.Clone(rq.params)
	delete(params, "session")
	delete(params, "password")
	delete(params, "action")
	c := Call{Op: rq.op(), Context: schoolmail.ContextID(rq.who.cid), User: schoolmail.UserID(rq.who.uid),
		Params: params, Status: status, Code: code,
		Multiple: rq.inMultiple}
	if rq.module != "login" && rq.module != "multiple" && rq.multipart == nil {
		c.Body = string(rq.body)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, c)
}

// Recorded lists the calls so far.
func (a *API) Recorded() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}
