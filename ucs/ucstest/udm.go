package ucstest

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// UDM is a simulator of Univention's REST API of UDM, the modules users/user,
// groups/group and oxmail/oxcontext of it. It is an [http.Handler] that writes to
// an LDAP server, a [Server] or a real one, over a connection of its own, one
// request after the other as a single process of UDM does.
//
// It answers as UDM REST of UCS 5.2 was seen to: which mistakes it takes without a
// word, which status and location it gives for which refusal, what it writes by
// itself, what the hooks of UCS@school and the OX packages do, and the locks that
// it leaves for five minutes on a value that was taken. Texts are its own.
type UDM struct {
	// URL is the address of the API, valid after StartUDM.
	URL string
	// User and Password open it.
	User     string
	Password schoolmail.Secret

	ldapURL, bindDN string
	bindPassword    schoolmail.Secret
	properties      []property // extended attributes of users

	mu     sync.Mutex // one request at a time
	conn   *ldap.Conn
	base   string
	faults udmRecorder
	server *http.Server
	done   sync.WaitGroup
}

// UDMCall is one request as the simulator saw it. Bodies are not kept.
type UDMCall struct {
	Method string
	Path   string // decoded, below /univention/udm/
	Status int
}

// UDMFault makes requests go wrong. Method and Path choose them (empty: all; Path
// is part of the path). The fault strikes Times times (0: once, negative: for
// ever) after letting After matching requests pass.
type UDMFault struct {
	Method, Path string
	After, Times int

	Status int // the answer, with nothing done; 503 comes with Retry-After: 0
	Lose   Loss
	Delay  time.Duration
}

type udmRecorder struct {
	mu     sync.Mutex
	calls  []UDMCall
	faults []*UDMFault
}

// UDMOption changes a simulator before it is made.
type UDMOption func(*UDM)

// WithExtendedAttribute adds a property to users that is kept in an attribute, as
// a site does with settings/extended_attribute.
func WithExtendedAttribute(name, attribute string, classes ...string) UDMOption {
	return func(u *UDM) {
		u.properties = append(u.properties, property{name: name, attr: attribute, kind: textProperty, classes: classes})
	}
}

// NewUDM makes a simulator on an LDAP server, to which it connects at the first
// request. It does not listen.
func NewUDM(ldapURL, bindDN string, password schoolmail.Secret, opts ...UDMOption) *UDM {
	u := &UDM{User: "Administrator", Password: "univention", ldapURL: ldapURL, bindDN: bindDN, bindPassword: password}
	for _, o := range opts {
		o(u)
	}
	return u
}

// StartUDM makes a simulator that listens on loopback until Close.
func StartUDM(ldapURL, bindDN string, password schoolmail.Secret, opts ...UDMOption) (*UDM, error) {
	u := NewUDM(ldapURL, bindDN, password, opts...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("ucstest: %w", err)
	}
	u.URL = "http://" + l.Addr().String() + "/univention/udm/"
	u.server = &http.Server{Handler: u}
	u.done.Go(func() { u.server.Serve(l) })
	return u, nil
}

// Close ends the listener and the connection to the LDAP server.
func (u *UDM) Close() error {
	if u.server != nil {
		u.server.Close()
		u.done.Wait()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conn != nil {
		u.conn.Close()
		u.conn = nil
	}
	return nil
}

// Inject adds a fault and returns what removes it.
func (u *UDM) Inject(f UDMFault) (remove func()) {
	r := &u.faults
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &f
	r.faults = append(r.faults, p)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.faults = slices.DeleteFunc(r.faults, func(q *UDMFault) bool { return q == p })
	}
}

// Calls returns all calls, oldest first.
func (u *UDM) Calls() []UDMCall {
	u.faults.mu.Lock()
	defer u.faults.mu.Unlock()
	return slices.Clone(u.faults.calls)
}

func (r *udmRecorder) fault(method, path string) UDMFault {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.faults {
		if f.Method != "" && f.Method != method || !strings.Contains(path, f.Path) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		hit := *f
		if f.Times >= 0 {
			if f.Times--; f.Times <= 0 {
				r.faults = slices.Delete(r.faults, i, i+1)
			}
		}
		return hit
	}
	return UDMFault{}
}

// udmError is an answer that is no success.
type udmError struct {
	status   int
	location []any // nil elements are null
	text     string
}

func (e *udmError) Error() string { return e.text }

func refuse(status int, text string, location ...any) error {
	return &udmError{status: status, text: text, location: location}
}

// atProperty is a refusal that names the property.
func atProperty(name, text string) error {
	return refuse(http.StatusUnprocessableEntity, text, "body", "properties", name)
}

// ServeHTTP answers one request.
func (u *UDM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw := r.URL.EscapedPath()
	_, below, ok := strings.Cut(raw, "/udm/")
	path, err := url.PathUnescape(below)
	if !ok || err != nil {
		http.NotFound(w, r)
		return
	}
	f := u.faults.fault(r.Method, path)
	rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		u.faults.mu.Lock()
		defer u.faults.mu.Unlock()
		u.faults.calls = append(u.faults.calls, UDMCall{r.Method, path, rec.status})
	}()
	if f.Delay > 0 {
		if retry.Sleep(r.Context(), f.Delay) != nil {
			return
		}
	}
	switch {
	case f.Lose == LoseRequest:
		hangUp(w)
		return
	case f.Status == http.StatusServiceUnavailable:
		rec.Header().Set("Retry-After", "0")
		rec.reply(f.Status, "starting") // a string, not an object
		return
	case f.Status != 0:
		rec.reply(f.Status, errorBody(&udmError{status: f.Status, text: "injected fault"}))
		return
	}
	a := u.answer(r, below)
	if f.Lose == LoseAnswer {
		hangUp(w)
		return
	}
	for k, v := range a.header {
		rec.Header().Set(k, v)
	}
	if id := r.Header.Get("X-Request-Id"); id != "" {
		rec.Header().Set("X-Request-Id", id[:min(36, len(id))])
	}
	rec.reply(a.status, a.body)
}

// hangUp cuts the connection, if there is one.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if c, _, err := h.Hijack(); err == nil {
			c.Close()
		}
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) reply(status int, body any) {
	w.status = status
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// udmAnswer is what goes back.
type udmAnswer struct {
	status int
	header map[string]string
	body   any
}

// answer authenticates and carries out a request.
func (u *UDM) answer(r *http.Request, path string) udmAnswer {
	user, password, ok := r.BasicAuth()
	if !ok || !strings.EqualFold(user, u.User) || password != u.Password.Reveal() {
		return udmAnswer{status: http.StatusUnauthorized, header: map[string]string{"WWW-Authenticate": `Basic realm="UDM"`,
			"Content-Type": "text/html"}}
	}
	if a := r.Header.Get("Accept"); !strings.Contains(a, "application/json") &&
		!strings.Contains(a, "application/hal+json") {
		return udmAnswer{status: http.StatusNotAcceptable}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err == nil && len(body) > 0 && (r.Method == http.MethodGet || r.Method == http.MethodDelete) {
		err = refuse(http.StatusBadRequest, "no body is expected")
	}
	var a udmAnswer
	if err == nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		if err = u.connect(r.Context()); err == nil {
			a, err = u.route(r, path, body)
		}
	}
	if err == nil {
		return a
	}
	ue, ok := err.(*udmError)
	if !ok {
		ue = &udmError{status: http.StatusBadRequest, text: "LDAP Error: " + err.Error()}
	}
	return udmAnswer{status: ue.status, body: errorBody(ue)}
}

func errorBody(e *udmError) any {
	list := []any{}
	if len(e.location) > 0 {
		list = append(list, map[string]any{"location": e.location, "message": e.text, "type": "value_error"})
	}
	return map[string]any{"error": map[string]any{"code": e.status, "title": http.StatusText(e.status), "message": e.text},
		"_embedded": map[string]any{"udm:error": list}, "_links": map[string]any{}}
}

// connect opens the connection to the LDAP server.
func (u *UDM) connect(context.Context) error {
	if u.conn != nil && !u.conn.IsClosing() {
		return nil
	}
	c, err := ldap.DialURL(u.ldapURL)
	if err != nil {
		return err
	}
	if err := c.Bind(u.bindDN, u.bindPassword.Reveal()); err != nil {
		c.Close()
		return err
	}
	root, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)",
		[]string{"namingContexts"}, nil))
	if err != nil || len(root.Entries) == 0 {
		c.Close()
		return fmt.Errorf("root DSE: %w", err)
	}
	u.conn, u.base = c, root.Entries[0].GetAttributeValue("namingContexts")
	return nil
}

// route finds what a request is about. path is still encoded, so that a DN is one
// element.
func (u *UDM) route(r *http.Request, path string, body []byte) (udmAnswer, error) {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i], _ = url.PathUnescape(p)
	}
	if len(parts) < 3 { // also a collection without the slash at its end
		return udmAnswer{}, refuse(http.StatusNotFound, "not found")
	}
	m := u.module(parts[0] + "/" + parts[1])
	if m == nil {
		return udmAnswer{}, refuse(http.StatusNotFound, "no such module")
	}
	name := parts[2]
	switch {
	case name == "" && r.Method == http.MethodPost:
		return u.create(r, m, body)
	case name == "" && r.Method == http.MethodGet:
		return u.search(r, m)
	case name == "move" && r.Method == http.MethodPost:
		return u.moveMany(m, body)
	}
	e, err := u.object(m, name)
	if err != nil {
		return udmAnswer{}, err
	}
	changed := modified(e)
	if a, err := conditions(r, etag(m, e), changed); err != nil || a.status != 0 {
		return a, err
	}
	switch r.Method {
	case http.MethodGet:
		o, err := u.show(m, e)
		header := map[string]string{"Etag": etag(m, e)}
		if !changed.IsZero() {
			header["Last-Modified"] = changed.Format(http.TimeFormat)
		}
		return udmAnswer{http.StatusOK, header, o}, err
	case http.MethodPatch:
		return u.patch(r, m, e, body)
	case http.MethodPut:
		return u.put(r, m, e, body)
	case http.MethodDelete:
		return udmAnswer{status: http.StatusNoContent}, u.remove(m, e)
	}
	return udmAnswer{}, refuse(http.StatusMethodNotAllowed, "method not allowed")
}

// object reads an entry that must be of the module.
func (u *UDM) object(m *module, dn string) (*ldap.Entry, error) {
	e, err := u.get(dn)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, refuse(http.StatusNotFound, "no such object")
	}
	if e.GetAttributeValue("univentionObjectType") != m.name {
		return nil, refuse(http.StatusBadRequest, "object type of the object differs")
	}
	return e, nil
}

// get reads an entry with its operational attributes; nil: there is none.
func (u *UDM) get(dn string) (*ldap.Entry, error) {
	res, err := u.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)",
		[]string{"*", "+"}, nil))
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax) {
		return nil, nil
	}
	if err != nil || len(res.Entries) == 0 {
		return nil, err
	}
	return res.Entries[0], nil
}

// find returns entries of the whole tree.
func (u *UDM) find(filter string, attrs ...string) ([]*ldap.Entry, error) {
	return u.findBelow(u.base, filter, attrs...)
}

func (u *UDM) findBelow(base, filter string, attrs ...string) ([]*ldap.Entry, error) {
	res, err := u.conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, attrs, nil))
	if err != nil {
		return nil, err
	}
	return res.Entries, nil
}

func etag(m *module, e *ldap.Entry) string {
	h := sha1.New()
	for _, s := range []string{e.DN, m.name, e.GetAttributeValue("entryCSN"), e.GetAttributeValue("entryUUID")} {
		io.WriteString(h, s+"\x00")
	}
	return `"` + hex.EncodeToString(h.Sum(nil)) + `"`
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
