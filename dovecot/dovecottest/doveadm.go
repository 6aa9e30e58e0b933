package dovecottest

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed commands.txt
var commandsText string

type param struct{ name, typ string }

// declared is a command as GET /doveadm/v1 lists it.
type declared struct {
	name   string
	mail   bool // takes user, allUsers, ...
	params []param
}

func (d *declared) param(name string) (param, bool) {
	for _, p := range d.params {
		if p.name == name {
			return p, true
		}
	}
	return param{}, false
}

var paramTypes = map[string]string{"b": "boolean", "i": "integer", "s": "string", "a": "array"}

// declaration parses the list that Dovecot 2.3.19.1 (Debian 12, with Pigeonhole or
// without) gives, and changes it to 2.4's if need be.
func declaration(series24, sieve bool) []*declared {
	var list []*declared
	text := commandsText
	if sieve {
		text += sieveCommands
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		d := &declared{name: words[0]}
		words = words[1:]
		if len(words) > 0 && words[0] == "mail" {
			d.mail = true
			words = append([]string{"allUsers:b", "socketPath:s", "user:s", "transFlags:i", "userFile:s"}, words[1:]...)
		}
		for _, w := range words {
			n, t, _ := strings.Cut(w, ":")
			d.params = append(d.params, param{n, paramTypes[t]})
		}
		if !series24 {
			list = append(list, d)
			continue
		}
		if strings.HasPrefix(d.name, "director") || strings.HasPrefix(d.name, "replicator") ||
			strings.HasPrefix(d.name, "oldstats") || d.name == "batch" {
			continue
		}
		d.to24()
		list = append(list, d)
	}
	if series24 {
		list = append(list, &declared{name: "indexerList", params: []param{{"socketPath", "string"}, {"userMask", "array"}}})
	}
	return list
}

// to24 changes a command's parameters to those of 2.4.1.
func (d *declared) to24() {
	d.params = slices.DeleteFunc(d.params, func(p param) bool {
		return (d.name == "copy" || d.name == "move") && p.name == "sourceType" || d.name == "kick" && p.name == "force" ||
			strings.HasPrefix(d.name, "dict") && p.name == "dictUri" || // dicts and files have names in the configuration
			strings.HasPrefix(d.name, "fs") && (p.name == "fsDriver" || p.name == "fsArgs") ||
			(d.name == "sync" || d.name == "backup") && (p.name == "replicatorNotify" || p.name == "defaultDestination" ||
				p.name == "legacyDsync")
	})
	d.params = append(d.params, added24(d)...)
	for i, p := range d.params {
		if d.name == "index" && p.name == "mailboxMask" {
			d.params[i].typ = "array"
		}
	}
}

// added24 are the parameters that 2.4.1 has besides.
func added24(d *declared) []param {
	switch {
	case strings.HasPrefix(d.name, "dict"), strings.HasPrefix(d.name, "fs"):
		return []param{{"filterName", "string"}}
	case d.name == "sync", d.name == "backup":
		return []param{{"noUserdbLookup", "boolean"}, {"destinationOption", "array"}}
	case d.name == "kick":
		return []param{{"passdbField", "string"}, {"destHost", "string"}}
	case d.mail:
		return []param{{"noUserdbLookup", "boolean"}}
	}
	return nil
}

// ServeHTTP is the doveadm HTTP API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	post := r.Method == http.MethodPost && r.URL.Path == "/doveadm/v1"
	list := r.Method == http.MethodGet && r.URL.Path == "/doveadm/v1"
	mounts := r.Method == http.MethodGet && r.URL.Path == "/"
	if !post && !list && !mounts {
		text(w, http.StatusNotFound, "Path Not Found")
		return
	}
	if s.cfg.apiKey == "" && s.cfg.password == "" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if !s.authorized(r.Header.Get("Authorization")) {
		if r.Close && post && !s.cfg.series24 {
			// 2.3.19 forgets to answer; the client has to give up.
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		if s.cfg.apiKey != "" {
			w.Header().Add("WWW-Authenticate", "X-Dovecot-API")
		}
		if s.cfg.password != "" {
			w.Header().Add("WWW-Authenticate", `Basic Realm="doveadm"`)
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.cfg.latency > 0 {
		select {
		case <-time.After(s.cfg.latency):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case mounts:
		io.WriteString(w, "[\n{\"method\":\"OPTIONS\",\"path\":\"*\"},\n{\"method\":\"GET\",\"path\":\"/\"},\n"+
			"{\"method\":\"GET\",\"path\":\"/doveadm/v1\"},\n{\"method\":\"POST\",\"path\":\"/doveadm/v1\"}\n]")
	case list:
		s.list(w)
	default:
		body, err := io.ReadAll(r.Body)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			s.request(body, &output{series24: s.cfg.series24})
			text(w, http.StatusBadRequest, "Client disconnected")
		case err != nil:
			panic(http.ErrAbortHandler)
		default:
			s.post(w, body)
		}
	}
}

func text(w http.ResponseWriter, status int, msg string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, msg+"\r\n")
}

func (s *Server) authorized(header string) bool {
	scheme, value, _ := strings.Cut(header, " ")
	same := func(secret string) bool {
		want := base64.StdEncoding.EncodeToString([]byte(secret))
		return subtle.ConstantTimeCompare([]byte(want), []byte(value)) == 1
	}
	switch {
	case strings.EqualFold(scheme, "X-Dovecot-API") && s.cfg.apiKey != "":
		return same(s.cfg.apiKey)
	case strings.EqualFold(scheme, "Basic") && s.cfg.password != "":
		return same("doveadm:" + s.cfg.password)
	}
	return false
}

func (s *Server) list(w io.Writer) {
	type p struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	type c struct {
		Command    string `json:"command"`
		Parameters []p    `json:"parameters"`
	}
	out := []c{}
	for _, d := range s.declared {
		entry := c{d.name, []p{}}
		for _, q := range d.params {
			entry.Parameters = append(entry.Parameters, p{q.name, q.typ})
		}
		out = append(out, entry)
	}
	json.NewEncoder(w).Encode(out)
}

// badRequest is an answer with HTTP status 400. Commands before it have been
// carried out.
type badRequest string

func (b badRequest) Error() string { return string(b) }

// errDied stands for a server process that ends without an answer.
var errDied = errors.New("process died")

// endsInString reports a body that ends within a string: Dovecot waits for more of it, and
// when there is none it answers with what is done, as if all were well.
func endsInString(body []byte) bool {
	inside := false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			inside = !inside
		case '\\':
			if inside {
				i++
			}
		}
	}
	return inside
}

// exit is a command's failure with an exit code.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// post carries out a request. As in Dovecot the commands run while the JSON is
// being read.
func (s *Server) post(w http.ResponseWriter, body []byte) {
	out := &output{series24: s.cfg.series24}
	err := s.request(body, out)
	var status statusError
	var bad badRequest
	if errors.As(err, &bad) && endsInString(body) {
		err = nil
	}
	switch {
	case errors.Is(err, errDied):
		panic(http.ErrAbortHandler) // closes the connection
	case errors.As(err, &status):
		text(w, int(status), http.StatusText(int(status)))
	case errors.As(err, &bad):
		text(w, http.StatusBadRequest, string(bad))
	default:
		w.Write(append(append([]byte("["), out.buf.Bytes()...), ']'))
	}
}

type statusError int

func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

func (s *Server) request(body []byte, out *output) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	token := func() (json.Token, error) {
		t, err := dec.Token()
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, badRequest("JSON parse error: Missing '}'")
		}
		if err != nil {
			return nil, badRequest("JSON parse error: " + err.Error())
		}
		return t, nil
	}
	t, err := token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return badRequest("Request must be a JSON array")
	}
	for {
		t, err := token()
		if err != nil {
			return err
		}
		if t == json.Delim(']') {
			break
		}
		if t != json.Delim('[') {
			return badRequest("Command must be a JSON array")
		}
		if err := s.commandArray(dec, token, out); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != io.EOF {
		return badRequest("JSON parse error: Unexpected data at the end")
	}
	return nil
}

// commandArray reads the rest of ["name", {params}, "tag"] and runs it.
func (s *Server) commandArray(dec *json.Decoder, token func() (json.Token, error), out *output) error {
	t, err := token()
	if err != nil {
		return err
	}
	name, ok := t.(string)
	if !ok {
		return badRequest("Command name must be a string")
	}
	d := s.find(name)
	if t, err = token(); err != nil {
		return err
	}
	if t != json.Delim('{') {
		return badRequest("Parameters must be contained in a JSON object")
	}
	params := map[string]any{}
	var invalid bool
	for {
		if t, err = token(); err != nil {
			return err
		}
		if t == json.Delim('}') {
			break
		}
		key := camelCase(t.(string))
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return badRequest("JSON parse error: " + err.Error())
		}
		if d == nil {
			continue
		}
		p, ok := d.param(key)
		if !ok {
			invalid = true
			continue
		}
		if _, dup := params[key]; dup {
			return badRequest("Parameter `" + dashed(key) + "' is duplicated")
		}
		v, bad, err := s.value(p, d.mail && key != "allUsers", raw)
		if err != nil {
			return err
		}
		if bad {
			invalid = true
			continue
		}
		params[key] = v
	}
	if t, err = token(); err != nil {
		return err
	}
	tag, ok := t.(string)
	if !ok {
		return badRequest("Command ID must be a string")
	}
	if t, err = token(); err != nil {
		return err
	}
	if t != json.Delim(']') {
		return badRequest("Unexpected JSON element at end of command")
	}
	switch {
	case d == nil:
		s.record(Call{Command: name, Result: "unknownMethod"})
		out.refused("unknownMethod", tag)
		return nil
	case s.cfg.allowed != nil && !s.cfg.allowed[d.name]:
		s.record(Call{Command: d.name, Params: params, Result: "unAuthorized"})
		out.refused("unAuthorized", tag)
		return nil
	case invalid:
		s.record(Call{Command: d.name, Params: params, Result: "invalidRequest"})
		out.refused("invalidRequest", tag)
		return nil
	}
	return s.run(d, params, tag, out)
}

// find returns the command of a name, in any of the three spellings.
func (s *Server) find(name string) *declared {
	for _, d := range s.declared {
		if d.name == name || d.name == camelCase(name) && strings.ContainsAny(name, " -") {
			return d
		}
	}
	return nil
}

// dashed turns "mailboxMask" into "mailbox-mask".
func dashed(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// value reads a parameter as its declared type. bad is true for what the
// server calls an invalid request.
func (s *Server) value(p param, presence bool, raw json.RawMessage) (v any, bad bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, false, badRequest("JSON parse error: " + err.Error())
	}
	if p.typ == "array" {
		switch v := v.(type) {
		case string:
			return []string{v}, false, nil
		case []any:
			list := []string{}
			for _, e := range v {
				str, ok := e.(string)
				if !ok {
					return nil, false, badRequest("Command parameter array can only containstring values")
				}
				list = append(list, str)
			}
			return list, false, nil
		}
		return nil, false, badRequest("Parameter `" + dashed(p.name) + "' must be string or array")
	}
	var str string
	switch v := v.(type) {
	case string:
		str = v
	case json.Number:
		str = v.String()
	case bool:
		str = strconv.FormatBool(v)
	case nil:
		if !s.cfg.series24 {
			return nil, false, errDied
		}
		str = "null"
	case []any:
		return nil, false, errDied
	default:
		return nil, false, badRequest("Command ID must be a string")
	}
	switch p.typ {
	case "boolean":
		if str != "true" && str != "false" && s.cfg.series24 {
			return nil, false, badRequest("Parameter `" + dashed(p.name) + "' must be a boolean")
		}
		// In 2.3 an option of a mail command that is there is set.
		return str == "true" || presence && !s.cfg.series24, false, nil
	case "integer":
		n, err := strconv.ParseInt(str, 10, 64)
		return n, err != nil, nil
	}
	return str, false, nil
}

// run carries out one command under its faults and writes the answer.
func (s *Server) run(d *declared, params map[string]any, tag string, out *output) error {
	user, _ := params["user"].(string)
	f := s.fault(d.name, user)
	if f.Delay > 0 {
		time.Sleep(f.Delay)
	}
	call := Call{Command: d.name, User: user, Params: params}
	var a result
	var err error
	switch {
	case f.ExitCode != 0:
		err = exit(f.ExitCode)
	case f.Status != 0:
		err = statusError(f.Status)
	case f.Disconnect:
		err = errDied
	default:
		a, err = s.command(d, params)
		if f.DisconnectAfter {
			err = errDied
		}
	}
	var code exit
	switch {
	case err == nil:
		call.Result = "ok"
		out.success(a, tag)
	case errors.As(err, &code):
		call.Result = code.Error()
		s.logf("doveadm(%s): %s failed with exit code %d", user, d.name, int(code))
		out.exited(int(code), tag)
		err = nil
	default:
		if call.Result = "dropped"; !errors.Is(err, errDied) {
			call.Result = err.Error()
		}
	}
	s.record(call)
	return err
}
