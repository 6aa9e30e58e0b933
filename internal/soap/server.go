package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Namespaces inside fault details, the same for all services.
const (
	exceptionSpace = "http://exceptions.rmi.admin.openexchange.com/xsd"
	remoteSpace    = "http://rmi.java/xsd"
)

// RequestDecoder decodes what clients send to one service, with the tolerance
// and the faults of an OX server (Apache CXF with JAXB): children come in any
// order and may have no namespace; everything unknown is refused.
type RequestDecoder struct {
	namespace string
	ops       map[string]*Operation
	// Refuse, if not nil, makes the decoder treat an element that the schema has
	// as unknown, for servers of another version. It is asked with the name of the Go
	// type and the element's local name.
	Refuse func(goType, element string) bool
}

// NewRequestDecoder returns a decoder for the operations of one service.
func NewRequestDecoder(namespace string, ops []*Operation) *RequestDecoder {
	d := &RequestDecoder{namespace: namespace, ops: map[string]*Operation{}}
	for _, op := range ops {
		d.ops[op.Name] = op
	}
	return d
}

// Decode reads a request. The fault, if any, is what the server answers; op is
// set as soon as it is known, even beside a fault.
func (rd *RequestDecoder) Decode(data []byte) (op *Operation, req any, fault *Fault) {
	d := &decoder{scanner: newScanner(bytes.NewReader(data), int64(len(data))+1), strict: true, refuse: rd.Refuse}
	op, req, err := rd.decode(d)
	if err == nil {
		return op, req, nil
	}
	f := &Fault{Op: op, Code: "Client", Status: 500}
	var wrong *elementError
	var value *valueError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &wrong):
		f.Message = fmt.Sprintf("Unmarshalling Error: unexpected element (uri:%q, local:%q). Expected elements are %s ",
			wrong.space, wrong.local, wrong.expected)
	case errors.As(err, &value) && (value.kind == "int" || value.kind == "long"):
		f.Message = "Unmarshalling Error: Not a number: " + value.text
	case errors.As(err, &value):
		f.Message = "Unmarshalling Error: " + value.text
	default:
		f.Message = "Error reading XMLStreamReader: " + err.Error()
	}
	return op, nil, f
}

func (rd *RequestDecoder) decode(d *decoder) (*Operation, any, error) {
	if found, err := d.child(); err != nil || !found {
		return nil, nil, err
	}
	switch {
	case d.space == envelope12Space:
		return nil, nil, &Fault{Code: "VersionMismatch",
			Message: "A SOAP 1.2 message is not valid when sent to a SOAP 1.1 only endpoint.", Status: 500}
	case d.space == "":
		return nil, nil, &Fault{Code: "VersionMismatch",
			Message: fmt.Sprintf("No namespace on %q element. You must send a SOAP message.", d.local), Status: 500}
	case d.space != envelopeSpace:
		return nil, nil, &Fault{Code: "VersionMismatch",
			Message: fmt.Sprintf("%q, the namespace on the %q element, is not a valid SOAP version.", d.space, d.local),
			Status:  500}
	}
	noOperation := &Fault{Code: "Server",
		Message: "No binding operation info while invoking unknown method with params unknown.", Status: 500}
	for {
		found, err := d.child()
		if err != nil {
			return nil, nil, err
		}
		if !found {
			return nil, nil, noOperation
		}
		if d.space == envelopeSpace && string(d.local) == "Body" {
			break
		}
		if err := d.skip(); err != nil {
			return nil, nil, err
		}
	}
	found, err := d.child()
	if err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, noOperation
	}
	op := rd.ops[string(d.local)]
	switch {
	case op == nil:
		return nil, nil, &Fault{Code: "Client", Message: "NO_PART_FOUND", Status: 500}
	case op.Request.Space != d.space:
		return nil, nil, &Fault{Code: "Client", Message: "UNEXPECTED_WRAPPER_ELEMENT", Status: 500}
	}
	req := op.NewRequest()
	v := reflect.ValueOf(req).Elem()
	if err := d.structInto(planOf(v.Type()), v); err != nil {
		return op, nil, err
	}
	for {
		if _, err := d.next(); err == io.EOF {
			return op, req, nil
		} else if err != nil {
			return op, nil, err
		}
	}
}

// expected lists the fields of p as JAXB does in its messages.
func (p *plan) expected() string {
	var b strings.Builder
	for i, f := range p.fields {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "<{%s}%s>", f.name.Space, f.name.Local)
	}
	return b.String()
}

// FaultStyle says how a service writes the detail of its faults.
type FaultStyle struct {
	// Namespace is that of the service's wrapper elements.
	Namespace string
	// Rich adds fields that only some services declare: fieldnames to
	// InvalidDataException, cause to RemoteException.
	Rich bool
	// NoDetail leaves the detail out, as old servers do.
	NoDetail bool
}

// EncodeFault returns the envelope of a fault. A fault without a kind has no detail.
func EncodeFault(f *Fault, style FaultStyle) []byte {
	e := encoder{prefix: map[string]string{style.Namespace: "s:", exceptionSpace: "x:", remoteSpace: "j:"}}
	lit := func(s string) { e.buf = append(e.buf, s...) }
	lit(`<soap:Envelope xmlns:soap="` + envelopeSpace + `"><soap:Body><soap:Fault><faultcode>soap:`)
	e.text(f.Code)
	lit(`</faultcode><faultstring>`)
	e.text(strings.Map(xmlOnly, f.String()))
	lit(`</faultstring>`)
	if f.Kind != "" && !style.NoDetail {
		lit(`<detail><s:` + f.Kind + ` xmlns:s="` + style.Namespace + `"><s:` + f.Kind)
		if f.Kind == "InterruptedException" {
			lit(` xmlns:xsi="` + instanceSpace + `" xsi:nil="true"/>`)
		} else {
			lit(` xmlns:x="` + exceptionSpace + `" xmlns:j="` + remoteSpace + `">`)
			e.null(xml.Name{Space: style.Namespace, Local: "Exception"})
			switch f.Kind {
			case "InvalidDataException":
				if style.Rich {
					e.null(xml.Name{Space: exceptionSpace, Local: "fieldnames"})
				}
				e.null(xml.Name{Space: exceptionSpace, Local: "objectname"})
			case "RemoteException":
				if style.Rich {
					e.null(xml.Name{Space: remoteSpace, Local: "cause"})
				}
				e.null(xml.Name{Space: remoteSpace, Local: "message"})
			}
			lit(`</s:` + f.Kind + `>`)
		}
		lit(`</s:` + f.Kind + `></detail>`)
	}
	lit(`</soap:Fault></soap:Body></soap:Envelope>`)
	return e.buf
}

// xmlOnly replaces what XML cannot carry.
func xmlOnly(r rune) rune {
	if !isChar(r) {
		return '\uFFFD'
	}
	return r
}
