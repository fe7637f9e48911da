// Try values on a description with kin-openapi.
//
//	go run . FORM CASES {accepts,refuses}
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/getkin/kin-openapi/openapi3"
)

type trial struct {
	Name, Schema, Media, Flaw string
	Value                     any
}

func main() {
	loader := openapi3.NewLoader()
	form, err := loader.LoadFromFile(os.Args[1])
	if err == nil {
		err = form.Validate(loader.Context)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	if len(os.Args) < 4 {
		return
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	var read struct{ Cases []trial }
	if err := json.Unmarshal(text, &read); err != nil {
		panic(err)
	}
	tried, wrong, refused := 0, 0, os.Args[3] == "refuses"
	for _, one := range read.Cases {
		if one.Media != "application/json" || (one.Flaw != "") != refused {
			continue
		}
		tried++
		schema := form.Components.Schemas[one.Schema].Value
		if err := schema.VisitJSON(one.Value); (err == nil) == refused {
			wrong++
			fmt.Println("wrong:", one.Name)
		}
	}
	fmt.Println("tried", tried)
	if wrong > 0 {
		os.Exit(1)
	}
}
