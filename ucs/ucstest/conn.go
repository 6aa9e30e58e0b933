package ucstest

import (
	"bufio"
	"crypto/tls"
	"net"
	"slices"
	"strconv"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/retry"
	"github.com/ictmedia/schoolmail/ucs/internal/passwd"
)

const (
	oidStartTLS = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI   = "1.3.6.1.4.1.4203.1.11.3"
	oidPassword = "1.3.6.1.4.1.4203.1.11.1"
	oidAssert   = "1.3.6.1.1.12"
	oidManage   = "2.16.840.1.113730.3.4.2"
	oidPreRead  = "1.3.6.1.1.13.1"
	oidPostRead = "1.3.6.1.1.13.2"
)

var (
	supportedControls   = []string{ldap.ControlTypePaging, oidAssert, oidManage, oidPreRead, oidPostRead}
	supportedExtensions = []string{oidStartTLS, oidWhoAmI, oidPassword}
)

// conn is one client connection. Requests are handled one after the other.
type conn struct {
	s      *Server
	nc     net.Conn
	r      *bufio.Reader
	tls    bool
	user   string // normalised DN, "" anonymous
	admin  bool
	pagers map[string]*pager
	out    []byte
	// controls of the answer to the request at hand, encoded; nil: none.
	controls []byte
}

// serve reads requests until the connection ends or breaks the protocol.
func (c *conn) serve() {
	for {
		frame, err := readFrame(c.r)
		if err != nil {
			return
		}
		req, err := decodeRequest(frame)
		if err != nil {
			// RFC 4511 section 4.1.1: notice of disconnection.
			c.out = c.out[:0]
			extra := appendString(nil, 0x8a, "1.3.6.1.4.1.1466.20036")
			c.reply(0, appendResult(24, fail(ldap.LDAPResultProtocolError, "malformed message"), extra), nil)
			return
		}
		if !c.handle(req) {
			return
		}
	}
}

// reply sends one message.
func (c *conn) reply(id int64, op, controls []byte) bool {
	c.out = appendMessage(c.out, id, op, controls)
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err == nil
}

// operation is a request on its way: what it is, for faults and the record,
// and how to do it.
type operation struct {
	call Call
	tag  byte // of the answer
	run  func() (*result, []byte)
}

// handle answers one request and reports whether the connection lives on.
func (c *conn) handle(req *request) bool {
	switch req.op.Tag {
	case ldap.ApplicationUnbindRequest:
		return false
	case ldap.ApplicationAbandonRequest:
		return true // whatever it was, it is answered already
	case ldap.ApplicationSearchRequest:
		return c.search(req)
	}
	op, err := c.operation(req)
	if err != nil {
		c.reply(0, appendResult(24, fail(ldap.LDAPResultProtocolError, "%v", err),
			appendString(nil, 0x8a, "1.3.6.1.4.1.1466.20036")), nil)
		return false
	}
	f := c.s.rec.fault(&op.call)
	if f != nil {
		if !c.delay(f.Delay) || f.Lose == LoseRequest {
			c.s.rec.note(op.call)
			return false
		}
	}
	var r *result
	var extra []byte
	c.controls = nil
	if f != nil && f.Code != 0 {
		r = fail(f.Code, "%s", f.message())
	} else {
		r, extra = op.run()
	}
	if r != nil {
		op.call.Code = r.code
	}
	c.s.rec.note(op.call)
	if f != nil && f.Lose == LoseAnswer {
		return false
	}
	if !c.reply(req.id, appendResult(op.tag, r, extra), c.controls) {
		return false
	}
	if op.call.Op == "starttls" && r == nil {
		return c.upgrade()
	}
	return true
}

func (c *conn) delay(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	return retry.Sleep(c.s.ctx, d) == nil
}

func (c *conn) upgrade() bool {
	tc := tls.Server(c.nc, c.s.cert.server)
	if err := tc.HandshakeContext(c.s.ctx); err != nil {
		return false
	}
	c.s.lnMu.Lock()
	c.nc, c.tls = tc, true
	c.s.lnMu.Unlock()
	c.r = bufio.NewReader(tc)
	return true
}

// operation decodes everything that is not a search.
func (c *conn) operation(req *request) (*operation, error) {
	p := req.op
	call := Call{User: c.user}
	switch p.Tag {
	case ldap.ApplicationBindRequest:
		if len(p.Children) != 3 {
			return nil, errFrame
		}
		v, _ := number(p.Children[0])
		name, auth := text(p.Children[1]), p.Children[2]
		call.Op, call.DN = "bind", name
		return &operation{call, ldap.ApplicationBindResponse, func() (*result, []byte) {
			return c.bind(v, name, auth), nil
		}}, nil
	case ldap.ApplicationExtendedRequest:
		if len(p.Children) == 0 {
			return nil, errFrame
		}
		oid := text(p.Children[0])
		call.Op, call.DN = "extended", oid
		if oid == oidStartTLS {
			call.Op = "starttls"
		}
		return &operation{call, ldap.ApplicationExtendedResponse, func() (*result, []byte) {
			return c.extended(oid, p.Children[1:])
		}}, nil
	}
	return c.update(req, call)
}

func (c *conn) bind(version int64, name string, auth *ber.Packet) *result {
	c.user, c.admin, c.pagers = "", false, map[string]*pager{}
	switch {
	case version != 3:
		return fail(ldap.LDAPResultProtocolError, "requested protocol version not supported")
	case auth.ClassType != ber.ClassContext || auth.Tag != 0:
		return fail(ldap.LDAPResultAuthMethodNotSupported, "only simple bind")
	}
	password := text(auth)
	if password == "" {
		if name == "" {
			return nil
		}
		return fail(ldap.LDAPResultUnwillingToPerform, "unauthenticated bind (DN with no password) disallowed")
	}
	n, err := c.s.schema.normalizeDN(name)
	if err != nil {
		return fail(ldap.LDAPResultInvalidDNSyntax, "invalid DN")
	}
	admin, _ := c.s.schema.normalizeDN(c.s.BindDN)
	if n == admin {
		if password != c.s.Password.Reveal() {
			return fail(ldap.LDAPResultInvalidCredentials, "")
		}
		c.user, c.admin = n, true
		return nil
	}
	c.s.mu.RLock()
	var stored []string
	if e := c.s.tree.byDN[n]; e != nil && !c.s.expired(e) {
		stored = slices.Clone(e.get(c.s.schema.attr("userPassword")))
	}
	c.s.mu.RUnlock()
	for _, v := range stored {
		if passwd.Check(v, password) {
			c.user = n
			return nil
		}
	}
	return fail(ldap.LDAPResultInvalidCredentials, "")
}

// expired is the shadowbind overlay: shadowExpire counts days, and the account
// ends at the beginning of that day.
func (s *Server) expired(e *entry) bool {
	v := e.get(s.schema.attr("shadowExpire"))
	if len(v) == 0 {
		return false
	}
	d, err := strconv.ParseInt(v[0], 10, 64)
	return err == nil && d > 0 && d <= s.cfg.now().Unix()/86400
}

func (c *conn) extended(oid string, value []*ber.Packet) (*result, []byte) {
	switch oid {
	case oidStartTLS:
		if c.tls {
			return fail(ldap.LDAPResultOperationsError, "TLS already started"), nil
		}
		if c.s.cert == nil {
			return fail(ldap.LDAPResultUnavailable, "no certificate"), nil
		}
		return nil, appendString(nil, 0x8a, oidStartTLS)
	case oidWhoAmI:
		id := ""
		if c.user != "" {
			id = "dn:" + c.user
		}
		return nil, appendString(nil, 0x8b, id)
	case oidPassword:
		return c.changePassword(value)
	}
	return fail(ldap.LDAPResultProtocolError, "unsupported extended operation"), nil
}

// critical refuses critical controls that an operation does not know, and
// decodes the assertion.
func (c *conn) critical(controls []control, known ...string) (assert *filter, r *result) {
	for _, ctl := range controls {
		if !slices.Contains(known, ctl.oid) {
			if ctl.critical {
				return nil, fail(ldap.LDAPResultUnavailableCriticalExtension, "critical extension is not recognized")
			}
			continue
		}
		if ctl.oid != oidAssert {
			continue
		}
		p, err := decodeValue(ctl.value)
		if err == nil {
			assert, err = c.s.schema.newFilter(p)
		}
		if err != nil {
			return nil, fail(ldap.LDAPResultProtocolError, "assertion control: %v", err)
		}
	}
	return assert, nil
}

// write is a decoded request about one entry.
type write struct {
	op     string
	dn     string
	attrs  []string
	answer byte                   // tag
	reads  bool                   // changes nothing
	run    func(e *entry) *result // on the entry named dn
	add    func(t *tree) *result  // instead of run, where there is no entry yet
}

// update decodes the operations on entries.
func (c *conn) update(req *request, call Call) (*operation, error) {
	w, err := c.decodeWrite(req.op)
	if err != nil {
		return nil, err
	}
	assert, refusal := c.critical(req.controls, oidAssert, oidManage, oidPreRead, oidPostRead)
	call.Op, call.DN, call.Attrs = w.op, w.dn, w.attrs
	return &operation{call, w.answer, func() (*result, []byte) {
		switch {
		case refusal != nil:
			return refusal, nil
		case c.user == "":
			return fail(ldap.LDAPResultInsufficientAccessRights, "authentication required"), nil
		case !w.reads && !c.admin:
			return fail(ldap.LDAPResultInsufficientAccessRights, "no write access"), nil
		}
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		return c.carryOut(req, w, assert), nil
	}}, nil
}

// carryOut does what was asked, and reads the entry before and after if that
// was asked, too (RFC 4527).
func (c *conn) carryOut(req *request, w *write, assert *filter) *result {
	t := c.s.tree
	if w.add != nil {
		r := w.add(t)
		if e, absent := t.find(w.dn); r == nil && absent == nil {
			c.s.logged("a", w.dn)
			c.readEntry(req, oidPostRead, e)
		}
		return r
	}
	e, r := t.find(w.dn)
	if r != nil {
		return r
	}
	if assert != nil && t.match(assert, e) != yes {
		return fail(ldap.LDAPResultAssertionFailed, "assertion not true")
	}
	c.readEntry(req, oidPreRead, e)
	old := e.dn
	if r = w.run(e); r != nil {
		if !w.reads {
			c.controls = nil
		}
		return r
	}
	switch w.op {
	case "modify":
		c.s.logged("m", e.dn)
	case "delete":
		c.s.logged("d", old)
	case "modifydn":
		c.s.logged("r", old)
		c.s.logged("a", e.dn)
	}
	if w.op != "delete" {
		c.readEntry(req, oidPostRead, e)
	}
	return nil
}

// readEntry adds what a pre-read or post-read control asks for to the controls of
// the answer (RFC 4527).
func (c *conn) readEntry(req *request, oid string, e *entry) {
	for _, ctl := range req.controls {
		if ctl.oid != oid {
			continue
		}
		var names []string
		if p, err := decodeValue(ctl.value); err == nil {
			for _, n := range p.Children {
				names = append(names, text(n))
			}
		}
		value := appendEntryBody(nil, e.dn, c.s.tree.view(e, c.s.schema.selection(names), c.admin), false)
		c.controls = appendControl(c.controls, oid, value)
		return
	}
}

func (c *conn) decodeWrite(p *ber.Packet) (*write, error) {
	switch p.Tag {
	case ldap.ApplicationAddRequest:
		return c.decodeAdd(p)
	case ldap.ApplicationDelRequest:
		return &write{op: "delete", dn: text(p), answer: ldap.ApplicationDelResponse, run: c.s.tree.del}, nil
	case ldap.ApplicationModifyRequest:
		return c.decodeModify(p)
	case ldap.ApplicationModifyDNRequest:
		return c.decodeRename(p)
	case ldap.ApplicationCompareRequest:
		if len(p.Children) != 2 || len(p.Children[1].Children) != 2 {
			return nil, errFrame
		}
		desc, val := text(p.Children[1].Children[0]), text(p.Children[1].Children[1])
		return &write{op: "compare", dn: text(p.Children[0]), attrs: []string{desc}, reads: true,
			answer: ldap.ApplicationCompareResponse,
			run:    func(e *entry) *result { return c.s.tree.compare(e, desc, val) }}, nil
	}
	return nil, errFrame
}

func (c *conn) decodeAdd(p *ber.Packet) (*write, error) {
	if len(p.Children) != 2 {
		return nil, errFrame
	}
	list, err := attributeList(p.Children[1])
	if err != nil {
		return nil, err
	}
	w := &write{op: "add", dn: text(p.Children[0]), answer: ldap.ApplicationAddResponse}
	for _, g := range list {
		w.attrs = append(w.attrs, g.desc)
	}
	w.add = func(t *tree) *result { return t.add(w.dn, list, c.user) }
	return w, nil
}

func (c *conn) decodeModify(p *ber.Packet) (*write, error) {
	if len(p.Children) != 2 {
		return nil, errFrame
	}
	changes, err := decodeChanges(p.Children[1])
	if err != nil {
		return nil, err
	}
	w := &write{op: "modify", dn: text(p.Children[0]), answer: ldap.ApplicationModifyResponse}
	for _, ch := range changes {
		w.attrs = append(w.attrs, ch.desc)
	}
	w.run = func(e *entry) *result { return c.s.tree.modify(e, changes, c.user) }
	return w, nil
}

func (c *conn) decodeRename(p *ber.Packet) (*write, error) {
	if len(p.Children) < 3 || len(p.Children) > 4 {
		return nil, errFrame
	}
	rdn := text(p.Children[1])
	deleteOld, _ := p.Children[2].Value.(bool)
	sup := ""
	if len(p.Children) == 4 {
		sup = text(p.Children[3])
	}
	return &write{op: "modifydn", dn: text(p.Children[0]), answer: ldap.ApplicationModifyDNResponse,
		run: func(e *entry) *result { return c.s.tree.rename(e, rdn, deleteOld, sup, c.user) }}, nil
}

func (t *tree) compare(e *entry, desc, val string) *result {
	at := t.schema.attr(desc)
	if at == nil {
		return fail(ldap.LDAPResultUndefinedAttributeType, "%s: attribute type undefined", desc)
	}
	vals := t.values(e, at)
	if len(vals) == 0 {
		return fail(ldap.LDAPResultNoSuchAttribute, "%s: no such attribute", desc)
	}
	n := t.schema.normalize(at.equality, val)
	for _, v := range vals {
		if t.schema.normalize(at.equality, v) == n {
			return &result{code: ldap.LDAPResultCompareTrue}
		}
	}
	return &result{code: ldap.LDAPResultCompareFalse}
}

func decodeChanges(p *ber.Packet) ([]change, error) {
	var out []change
	for _, c := range p.Children {
		if len(c.Children) != 2 {
			return nil, errFrame
		}
		op, ok := number(c.Children[0])
		if !ok || op < 0 || op > 3 {
			return nil, errFrame
		}
		g, err := attributeOf(c.Children[1])
		if err != nil {
			return nil, err
		}
		out = append(out, change{uint(op), g})
	}
	return out, nil
}
