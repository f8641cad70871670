{{/* What everything is called. NetworkPolicies of clusters know the operator by this name. */}}
{{- define "operator.name" -}}kvs-operator{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: kvs-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Of what is in no namespace: two releases must not have it in common. */}}
{{- define "operator.everywhere" -}}
{{ printf "%s-%s" .Release.Namespace .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "operator.subject" -}}
- kind: ServiceAccount
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
{{- end }}
