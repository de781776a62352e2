{{- define "semsim.hosts" -}}
{{- $name := include "semsim.fullname" . -}}
{{- $space := printf "%s.%s" $name .Release.Namespace -}}
{{- list $name $space (printf "%s.svc" $space) (printf "%s.svc.cluster.local" $space) | toJson -}}
{{- end }}

{{ define "semsim.env" -}}
{{- if .Values.auth.anonymous -}}
- name: SEMSIM_AUTH__ANONYMOUS
  value: "true"
{{- if not (dig "http" "hosts" "" .Values.config) }}
# Without a token only these names are answered, so that no web page can ask by a name of its own.
- name: SEMSIM_HTTP__HOSTS
  value: {{ include "semsim.hosts" . | quote }}
{{- end }}
{{- else -}}
- name: SEMSIM_AUTH__TOKEN_FILE
  value: /etc/semsim/auth/{{ .Values.auth.secretKey }}
{{- end }}
{{- if .Values.config }}
- name: SEMSIM_CONFIG
  value: /etc/semsim/config/semsim.yaml
{{- end }}
{{- if .Values.tls.secretName }}
- name: SEMSIM_TLS__CERTIFICATE
  value: /etc/semsim/tls/tls.crt
- name: SEMSIM_TLS__KEY
  value: /etc/semsim/tls/tls.key
{{- if .Values.tls.clientCA }}
- name: SEMSIM_TLS__CLIENT_CA
  value: /etc/semsim/tls/ca.crt
{{- end }}
{{- end }}
{{- if .Values.artifact.volume }}
- name: SEMSIM_ARTIFACT
  value: {{ printf "/models/%s" .Values.artifact.path | trimSuffix "/" | quote }}
{{- end }}
{{- if .Values.gpu.enabled }}
{{- with .Values.gpu.required }}
- name: SEMSIM_PROVIDERS__REQUIRED
  value: {{ . }}
{{- end }}
- name: SEMSIM_PROVIDERS__TENSORRT__ENGINE_CACHE_DIR
  value: /var/cache/semsim
- name: SEMSIM_PROVIDERS__TENSORRT__TIMING_CACHE_DIR
  value: /var/cache/semsim
{{- end }}
{{- end -}}

{{- define "semsim.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
# The running workers write their metrics here.
- name: state
  mountPath: /var/lib/semsim
{{- if not .Values.auth.anonymous }}
- name: auth
  mountPath: /etc/semsim/auth
  readOnly: true
{{- end }}
{{- if .Values.config }}
- name: config
  mountPath: /etc/semsim/config
  readOnly: true
{{- end }}
{{- if .Values.tls.secretName }}
- name: tls
  mountPath: /etc/semsim/tls
  readOnly: true
{{- end }}
{{- if .Values.artifact.volume }}
- name: artifact
  mountPath: /models
  readOnly: true
{{- end }}
{{- if .Values.gpu.enabled }}
- name: engines
  mountPath: /var/cache/semsim
{{- end }}
{{- end -}}

{{- define "semsim.volumes" -}}
- name: tmp
  emptyDir: {}
- name: state
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- if not .Values.auth.anonymous }}
- name: auth
  secret:
    secretName: {{ include "semsim.tokenSecret" . }}
    items:
      - key: {{ .Values.auth.secretKey }}
        path: {{ .Values.auth.secretKey }}
    defaultMode: 0440
{{- end }}
{{- if .Values.config }}
- name: config
  configMap:
    name: {{ include "semsim.fullname" . }}-config
{{- end }}
{{- if .Values.tls.secretName }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
{{- end }}
{{- with .Values.artifact.volume }}
- name: artifact
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.gpu.enabled }}
- name: engines
  {{- if or .Values.engineCache.persistence .Values.engineCache.existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .Values.engineCache.existingClaim | default (printf "%s-engines" (include "semsim.fullname" .)) }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .Values.engineCache.size }}
  {{- end }}
{{- end }}
{{- end -}}
