package soap_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/ictmedia/schoolmail/internal/soap"
)

// What the generator writes for an operation.
type (
	exists struct {
		XMLName xml.Name `xml:"urn:example exists"`
		Name    *string  `xml:"urn:example name,omitempty" soap:"nillable"`
	}
	existsResponse struct {
		XMLName xml.Name `xml:"urn:example existsResponse"`
		Return_ *bool    `xml:"urn:example return,omitempty"`
	}
)

var opExists = &soap.Operation{Service: "Example", Name: "exists", Action: "urn:exists",
	Request: xml.Name{Space: "urn:example", Local: "exists"}, Response: xml.Name{Space: "urn:example",
		Local: "existsResponse"},
	NewRequest: func() any { return new(exists) }, NewResponse: func() any { return new(existsResponse) }}

// A server and a client of one operation, and a fault.
func Example() {
	dec := soap.NewRequestDecoder("urn:example", []*soap.Operation{opExists})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
		op, req, fault := dec.Decode(body)
		if fault == nil && *req.(*exists).Name == "nobody" {
			fault = &soap.Fault{Code: "Server", Kind: "NoSuchUserException", Message: "No such user nobody"}
		}
		if fault != nil {
			w.WriteHeader(http.StatusInternalServerError)
			w.Write(soap.EncodeFault(fault, soap.FaultStyle{Namespace: "urn:example"}))
			return
		}
		soap.WriteResponse(w, op, &existsResponse{Return_: new(true)}, nil)
	}))
	defer srv.Close()

	c, err := soap.NewClient(srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"mia", "nobody"} {
		var resp existsResponse
		err := c.Call(context.Background(), opExists, &exists{Name: &name}, &resp)
		if f, ok := errors.AsType[*soap.Fault](err); ok {
			fmt.Println(f.Kind, f.Message)
			continue
		}
		fmt.Println(*resp.Return_, err)
	}
	// Output:
	// true <nil>
	// NoSuchUserException No such user nobody
}
